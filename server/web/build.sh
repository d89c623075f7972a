#!/bin/sh
# Usage: build.sh ESBUILD FOLDER. Bundles the page into the folder; equal sources give equal bytes.
set -eu
"$1" src/main.tsx --bundle --minify --format=esm --target=es2022 --jsx=automatic --jsx-import-source=preact \
	--legal-comments=none --log-level=warning "--outfile=$2/app.js"
cp index.html icon.svg "$2/"
