//go:build gc && !otelprof_nofp

#include "textflag.h"

// A function that calls another one has this frame ("Go internal ABI specification", amd64, "Stack layout":
// go.dev/s/regabi):
//
//	8(BP)  return address into the caller
//	0(BP)  BP of the caller, which points at the same pair in the caller's frame
//
// walk is a leaf without a frame of its own and leaves BP and SP alone, so that BP is the frame
// of the Go function that calls it: the base of all distances.

// func walk(at uintptr, known *uintptr, n int) (pc, next uintptr, matched int)
TEXT ·walk(SB), NOSPLIT|NOFRAME, $0-48
	MOVQ TLS, CX
	MOVQ 0(CX)(TLS*1), CX // the goroutine, which begins with the bounds of its stack: lo, hi
	MOVQ 8(CX), CX
	SUBQ $16, CX          // the last address at which a pair can be
	MOVQ BP, DI           // the base
	MOVQ at+0(FP), SI
	ADDQ DI, SI           // the frame to read
	MOVQ known+8(FP), R8
	MOVQ n+16(FP), R9
	XORL R10, R10         // how many known addresses were passed

frame:
	CMPQ SI, DI
	JCS  broken           // below the base: also 0, the end of the list
	CMPQ SI, CX
	JHI  broken           // beyond the stack
	MOVQ 8(SI), AX        // the return address
	MOVQ 0(SI), SI        // the next frame
	CMPQ R10, R9
	JGE  done
	CMPQ AX, 0(R8)(R10*8)
	JNE  done
	INCQ R10
	JMP  frame

broken:
	XORL AX, AX

done:
	SUBQ DI, SI
	MOVQ AX, pc+24(FP)
	MOVQ SI, next+32(FP)
	MOVQ R10, matched+40(FP)
	RET
