package server_test

import (
	"strings"
	"testing"
)

// Why a row's two answers differ.
const (
	whyCoding = "whoever stands in front may have read another length, so the connection ends (RFC 9112 §6.1)"
	whyOld    = "HTTP/1.0 has no codings, and net/http hides one that is named: the connection ends (RFC 9112 §6.1)"
	whyBroken = "it is the client's fault, and no 502"
)

// Two programs that read a request's end differently see different requests
// (RFC 9112 §11.2). Each row goes through the whole server and, beside it,
// through the standard library's ReverseProxy; what the client got and what the
// API got are compared byte for byte by a reader that forgives nothing. Where
// the two differ, the row says why ours is right.
//
// {end} is what each row's connection is asked once it was answered: if a rest
// of the row were still there, it would be taken for that request, or before it.
//
// Two lengths that agree, folds and lines that end in a bare LF are what RFC 9112
// lets a server mend (§6.3, §5.2, §2.2): net/http does, and sends on what is
// mended.
var requestRows = []struct {
	name, send string
	want       string // "what the client got | what the API got"
	bare, why  string // of ReverseProxy where it differs
}{
	{name: "as it should be", send: "{get}\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},
	{name: "with a length", send: "{post}Content-Length: 5\r\n\r\nhello", want: "200 asked for /v1/orders, 200 asked for /v1/end | POST /v1/orders length:hello, GET /v1/end none"},
	{name: "in chunks", send: "{post}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", want: "200 asked for /v1/orders | POST /v1/orders chunked:hello",
		bare: "200 asked for /v1/orders, 200 asked for /v1/end | POST /v1/orders chunked:hello, GET /v1/end none", why: whyCoding},
	{name: "pipelined", send: "{get}\r\n{smuggled}", want: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | GET /v1/orders none, GET /v1/smuggled none, GET /v1/end none"},
	{name: "pipelined after a length", send: "{post}Content-Length: 5\r\n\r\nhello{smuggled}", want: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders length:hello, GET /v1/smuggled none, GET /v1/end none"},
	{name: "pipelined after chunks", send: "{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked:hello",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked:hello, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},

	{name: "CL.TE", send: "{post}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "TE.CL", send: "{post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1a\r\nGPOST / HTTP/1.1\r\nX: y\r\n\r\n\r\n0\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked:GPOST / HTTP/1.1~X: y~~",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked:GPOST / HTTP/1.1~X: y~~, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "TE.TE: xchunked", send: "{post}Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\nhello{smuggled}", want: "501 |"},
	{name: "TE.TE: a second coding", send: "{post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{smuggled}", want: "501 |"},
	{name: "TE.TE: a list", send: "{post}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n{smuggled}", want: "501 |"},
	{name: "TE.TE: a tab before", send: "{post}Transfer-Encoding:\tchunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "TE.TE: a vertical tab", send: "{post}Transfer-Encoding: \vchunked\r\nContent-Length: 5\r\n\r\nhello{smuggled}", want: "400 |"},
	{name: "TE.TE: a space before the colon", send: "{post}Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\nhello{smuggled}", want: "400 |"},
	{name: "TE.TE: a line before", send: "{post}X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "TE.TE: quoted", send: "{post}Transfer-Encoding: \"chunked\"\r\nContent-Length: 5\r\n\r\nhello{smuggled}", want: "501 |"},
	{name: "TE.TE: capitals", send: "{post}TRANSFER-ENCODING: CHUNKED\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "TE.TE: a parameter", send: "{post}Transfer-Encoding: chunked;q=1\r\nContent-Length: 5\r\n\r\nhello{smuggled}", want: "501 |"},
	{name: "TE.TE: an underscore", send: "{post}Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", want: "200 asked for /v1/orders, 200 asked for /v1/end | POST /v1/orders length:hello, GET /v1/end none"},
	{name: "TE.TE: empty", send: "{post}Transfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello{smuggled}", want: "501 |"},
	{name: "a coding in HTTP/1.0", send: "POST /api/orders HTTP/1.0\r\n{host}{good}Connection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders length:0~~",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders length:0~~, GET /v1/smuggled none, GET /v1/end none", why: whyOld},

	{name: "a length twice, the same", send: "{post}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", want: "200 asked for /v1/orders, 200 asked for /v1/end | POST /v1/orders length:hello, GET /v1/end none"},
	{name: "a length twice, differing", send: "{post}Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello{smuggled}", want: "400 |"},
	{name: "a list of the same length", send: "{post}Content-Length: 5, 5\r\n\r\nhello", want: "400 |"},
	{name: "a length with a sign", send: "{post}Content-Length: +5\r\n\r\nhello{smuggled}", want: "400 |"},
	{name: "a length in hex", send: "{post}Content-Length: 0x5\r\n\r\nhello{smuggled}", want: "400 |"},
	{name: "a length with an underscore", send: "{post}Content-Length: 0_5\r\n\r\nhello{smuggled}", want: "400 |"},
	{name: "a length with zeros", send: "{post}Content-Length: 0005\r\n\r\nhello", want: "200 asked for /v1/orders, 200 asked for /v1/end | POST /v1/orders length:hello, GET /v1/end none"},
	{name: "a length below zero", send: "{post}Content-Length: -1\r\n\r\n{smuggled}", want: "400 |"},
	{name: "a length too large for 64 bits", send: "{post}Content-Length: 18446744073709551621\r\n\r\nhello{smuggled}", want: "400 |"},
	{name: "an empty length", send: "{post}Content-Length:\r\n\r\n{smuggled}", want: "400 |"},
	{name: "a length and a space before its colon", send: "{post}Content-Length : 5\r\n\r\nhello", want: "400 |"},
	{name: "a GET with a body", send: "{get}Content-Length: 5\r\n\r\nhello{smuggled}", want: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | GET /v1/orders length:hello, GET /v1/smuggled none, GET /v1/end none"},
	{name: "a GET with chunks", send: "{get}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | GET /v1/orders chunked:hello",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | GET /v1/orders chunked:hello, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "a HEAD with a body", send: "{head}Content-Length: 5\r\n\r\nhello{smuggled}", want: "200, 200 asked for /v1/smuggled, 200 asked for /v1/end | HEAD /v1/orders length:hello, GET /v1/smuggled none, GET /v1/end none"},

	{name: "a folded header", send: "{get}X-Folded: a\r\n b\r\n\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},
	{name: "a folded length", send: "{post}Content-Length:\r\n 5\r\n\r\nhello", want: "200 asked for /v1/orders, 200 asked for /v1/end | POST /v1/orders length:hello, GET /v1/end none"},
	{name: "a folded coding", send: "{post}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "a fold before the first header", send: "GET /api/orders HTTP/1.1\r\n X: y\r\n{host}{good}\r\n", want: "400 |"},
	{name: "lines that end in bare LF", send: "{get}X-A: b\nX-C: d\n\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},
	{name: "a bare LF in a value", send: "{get}X-A: b\nX-Forwarded-For: 6.6.6.6\r\n\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},
	{name: "a bare CR in a value", send: "{get}X-A: b\rX-Forwarded-For: 6.6.6.6\r\n\r\n", want: "400 |"},
	{name: "a bare CR that ends the head", send: "{get}X-A: b\r\r\n\r\n", want: "400 |"},
	{name: "a NUL in a value", send: "{get}X-A: a\x00b\r\n\r\n", want: "400 |"},
	{name: "a NUL in a name", send: "{get}X\x00A: b\r\n\r\n", want: "400 |"},
	{name: "an escape in a value", send: "{get}X-A: \x1b[31m\r\n\r\n", want: "400 |"},
	{name: "DEL in a value", send: "{get}X-A: a\x7fb\r\n\r\n", want: "400 |"},
	{name: "bytes above ASCII in a value", send: "{get}X-A: \xc3\xa9\xff\r\n\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},
	{name: "bytes above ASCII in a name", send: "{get}X-\xc3\xa9: b\r\n\r\n", want: "400 |"},
	{name: "a space in a name", send: "{get}X A: b\r\n\r\n", want: "400 |"},
	{name: "no name", send: "{get}: b\r\n\r\n", want: "400 |"},
	{name: "no colon", send: "{get}X-A\r\n\r\n", want: "400 |"},
	{name: "empty lines before", send: "\r\n\r\n{get}\r\n", want: "400 |"},
	{name: "a header of 40 KiB", send: "{get}X-Big: {big}\r\n\r\n", want: "431 |",
		bare: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none", why: "the bound is 32 KiB, not net/http's megabyte"},
	{name: "headers of 24 KiB", send: "{get}X-A: {8k}\r\nX-B: {8k}\r\nX-C: {8k}\r\n\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},

	{name: "a chunk extension", send: "{post}Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0;c\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked:hello",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked:hello, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "a chunk extension with a bare LF", send: "{post}Transfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n0\r\n\r\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},
	{name: "a chunk extension in quotes", send: "{post}Transfer-Encoding: chunked\r\n\r\n5;a=\"\r\n0\r\n\r\n\"\r\nhello\r\n0\r\n\r\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},
	{name: "a chunk extension of 8 KiB", send: "{post}Transfer-Encoding: chunked\r\n\r\n5;{8k}\r\nhello\r\n0\r\n\r\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},
	{name: "a chunk size in capitals", send: "{post}Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", want: "200 asked for /v1/orders | POST /v1/orders chunked:0123456789",
		bare: "200 asked for /v1/orders, 200 asked for /v1/end | POST /v1/orders chunked:0123456789, GET /v1/end none", why: whyCoding},
	{name: "a chunk size with zeros", send: "{post}Transfer-Encoding: chunked\r\n\r\n0000000005\r\nhello\r\n0\r\n\r\n", want: "200 asked for /v1/orders | POST /v1/orders chunked:hello",
		bare: "200 asked for /v1/orders, 200 asked for /v1/end | POST /v1/orders chunked:hello, GET /v1/end none", why: whyCoding},
	{name: "a chunk size with a sign", send: "{post}Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},
	{name: "a chunk size with 0x", send: "{post}Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},
	{name: "a chunk size with a space", send: "{post}Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked:hello",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked:hello, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "a chunk size that overflows 64 bits", send: "{post}Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},
	{name: "a chunk size that is none", send: "{post}Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},
	{name: "a chunk longer than it says", send: "{post}Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},
	{name: "a chunk size that ends in bare LF", send: "{post}Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},
	{name: "a chunk that ends in bare LF", send: "{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},
	{name: "chunks that end in bare LF", send: "{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\n\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},
	{name: "a chunk size that ends in bare CR", send: "{post}Transfer-Encoding: chunked\r\n\r\n5\rhello\r\n0\r\n\r\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},
	{name: "a trailer", send: "{post}Trailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: t\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked:hello",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked:hello, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "a trailer that is not announced", send: "{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nAuthorization: evil\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked:hello",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked:hello, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "a trailer with a length", send: "{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 500\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked:hello",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked:hello, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "a trailer that is no header", send: "{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nnonsense\r\n\r\n{smuggled}", want: "400 |",
		bare: "502 |", why: whyBroken},

	{name: "Connection names Authorization", send: "{get}Connection: Authorization\r\n\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},
	{name: "Connection names Cookie", send: "{get}Connection: Cookie, X-CSRF\r\n\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},
	{name: "Connection names X-Forwarded-For", send: "{get}X-Forwarded-For: 6.6.6.6\r\nConnection: X-Forwarded-For, X-Forwarded-Host\r\n\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},
	{name: "Connection names Content-Length", send: "{post}Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello{smuggled}", want: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders length:hello, GET /v1/smuggled none, GET /v1/end none"},
	{name: "Connection names Transfer-Encoding", send: "{post}Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n{smuggled}", want: "200 asked for /v1/orders | POST /v1/orders chunked:hello",
		bare: "200 asked for /v1/orders, 200 asked for /v1/smuggled, 200 asked for /v1/end | POST /v1/orders chunked:hello, GET /v1/smuggled none, GET /v1/end none", why: whyCoding},
	{name: "Connection names Host", send: "{get}Connection: Host\r\n\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},
	{name: "an Authorization of one's own", send: "{get}Authorization: Bearer stolen\r\n\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},
	{name: "what only a proxy says", send: "{get}X-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},

	{name: "TRACE", send: "TRACE /api/orders HTTP/1.1\r\n{host}{good}\r\n", want: "403, 200 asked for /v1/end | GET /v1/end none",
		bare: "200 asked for /v1/orders, 200 asked for /v1/end | TRACE /v1/orders none, GET /v1/end none", why: "no page uses it (BBA-19)"},
	{name: "CONNECT", send: "CONNECT /api/orders HTTP/1.1\r\n{host}{good}\r\n", want: "400, 200 asked for /v1/end | GET /v1/end none",
		bare: "200 asked for /v1/orders, 200 asked for /v1/end | CONNECT /v1/orders none, GET /v1/end none", why: "no page uses it (BBA-19)"},
	{name: "CONNECT to a host", send: "CONNECT evil.example:443 HTTP/1.1\r\n{host}{good}\r\n", want: "400, 200 asked for /v1/end | GET /v1/end none",
		bare: "200 asked for /v1, 200 asked for /v1/end | CONNECT /v1 none, GET /v1/end none", why: "no page uses it (BBA-19)"},
	{name: "the absolute form", send: "GET http://evil.example/api/orders HTTP/1.1\r\n{host}{good}\r\n", want: "400, 200 asked for /v1/end | GET /v1/end none",
		bare: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none", why: "a target is a path that can be read in one way (BBA-17)"},
	{name: "the authority form", send: "GET evil.example:443 HTTP/1.1\r\n{host}{good}\r\n", want: "400, 200 asked for /v1/end | GET /v1/end none",
		bare: "502, 200 asked for /v1/end | GET 443  BROKEN(request line), GET 443  BROKEN(request line), GET /v1/end none", why: "a target is a path that can be read in one way (BBA-17)"},
	{name: "a path of two slashes", send: "GET //evil.example/api/orders HTTP/1.1\r\n{host}{good}\r\n", want: "400, 200 asked for /v1/end | GET /v1/end none",
		bare: "200 asked for /v1//evil.example/api/orders, 200 asked for /v1/end | GET /v1//evil.example/api/orders none, GET /v1/end none", why: "a target is a path that can be read in one way (BBA-17)"},
	{name: "an upgrade to h2c", send: "{get}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},
	{name: "HTTP/2 by prior knowledge", send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", want: "400 |",
		bare: "200 asked for /v1%2A | PRI /v1%2A chunked", why: "a target is a path that can be read in one way (BBA-17)"},
	{name: "HTTP/1.0 that keeps alive", send: "GET /api/orders HTTP/1.0\r\n{host}{good}Connection: keep-alive\r\n\r\n", want: "200 asked for /v1/orders | GET /v1/orders none",
		bare: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none", why: whyOld},
	{name: "HTTP/1.2", send: "GET /api/orders HTTP/1.2\r\n{host}{good}\r\n", want: "200 asked for /v1/orders, 200 asked for /v1/end | GET /v1/orders none, GET /v1/end none"},
	{name: "HTTP/0.9", send: "GET /api/orders\r\n\r\n", want: "400 |"},
	{name: "two hosts", send: "{get}Host: evil.example\r\n\r\n", want: "400 |"},
	{name: "no host", send: "GET /api/orders HTTP/1.1\r\n{good}\r\n", want: "400 |"},
	{name: "an expectation nobody knows", send: "{post}Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello", want: "417 |"},
}

func TestARequestHasOneEnd(t *testing.T) {
	for _, f := range openFaces(t, "") {
		t.Run(f.name, func(t *testing.T) {
			for _, row := range requestRows {
				t.Run(row.name, func(t *testing.T) {
					heard := f.talk(t, f.fill(row.send))
					got, want := strings.TrimSuffix(heard+" | "+f.reached(t), " "), row.want
					if !f.ours && row.bare != "" {
						want = row.bare
					}
					if got != want {
						t.Errorf("\n got %s\nwant %s", got, want)
					}
				})
			}
		})
	}
}
