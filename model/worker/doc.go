// SPDX-License-Identifier: Apache-2.0

// Package worker scores models that only Python can score. It runs each in processes of
// its own, gives them rows over a socket that has no name, gathers what many callers ask
// into few requests, and stops and starts a process that dies, hangs or grows. A model's
// code runs nowhere else; it is never run in the server.
//
// It refuses to read a model by itself (the packages of formats do), to decide which
// version answers (package serving does), and to hold the code back from what its user
// may do: processes run as the server's user, within the bounds of Options.
package worker
