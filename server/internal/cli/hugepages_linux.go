package cli

import (
	"runtime"
	"runtime/debug"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugeArea is how much of the heap may be backed by huge pages; of a memory limit it is the fourth part at most.
const hugeArea = 1 << 30

// adviseHugePages lets the system back the heap by huge pages. Go does not ask for them, and most systems give them only to
// who asks. A server's heap grows to hundreds of megabytes, and page by page that is a fault for every 4 KiB, which costs
// more than what is done with the memory, above all in virtual machines.
//
// The advice stays with the addresses. Those of an allocation that nobody touches are free again at once, and the heap
// grows into them, since the runtime takes the lowest addresses first. Without huge pages everything is as before.
func adviseHugePages() {
	// A builder is what does not clear its memory, which would touch it.
	var area strings.Builder
	area.Grow(int(min(hugeArea, debug.SetMemoryLimit(-1)/4)))
	area.WriteByte(0)
	_ = unix.Madvise(unsafe.Slice(unsafe.StringData(area.String()), area.Cap()), unix.MADV_HUGEPAGE)
	runtime.KeepAlive(&area)
	runtime.GC()
}
