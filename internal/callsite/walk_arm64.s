//go:build gc && !otelprof_nofp

#include "textflag.h"

// A function that calls another one has this frame ("Go internal ABI specification", arm64, "Stack layout":
// go.dev/s/regabi):
//
//	8(R29)  return address into the caller
//	0(R29)  R29 of the caller, which points at the same pair in the caller's frame
//
// walk is a leaf without a frame of its own and leaves R29, R30 and RSP alone, so that R29 is the frame
// of the Go function that calls it: the base of all distances.

// func walk(at uintptr, known *uintptr, n int) (pc, next uintptr, matched int)
TEXT ·walk(SB), NOSPLIT|NOFRAME, $0-48
	MOVD 8(g), R0         // the goroutine begins with the bounds of its stack: lo, hi
	SUB  $16, R0          // the last address at which a pair can be
	MOVD R29, R1          // the base
	MOVD at+0(FP), R2
	ADD  R1, R2           // the frame to read
	MOVD known+8(FP), R3
	MOVD n+16(FP), R4
	MOVD $0, R5           // how many known addresses were passed

frame:
	CMP  R1, R2
	BLO  broken           // below the base: also 0, the end of the list
	CMP  R0, R2
	BHI  broken           // beyond the stack
	MOVD 8(R2), R6        // the return address
	MOVD 0(R2), R2        // the next frame
	CMP  R4, R5
	BGE  done
	MOVD (R3)(R5<<3), R7
	CMP  R7, R6
	BNE  done
	ADD  $1, R5
	B    frame

broken:
	MOVD $0, R6

done:
	SUB  R1, R2
	MOVD R6, pc+24(FP)
	MOVD R2, next+32(FP)
	MOVD R5, matched+40(FP)
	RET
