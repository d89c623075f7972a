// Package core breaks the rule that nothing points backwards.
package core

import _ "example.test/backwards/report"
