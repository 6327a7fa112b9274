// SPDX-License-Identifier: Apache-2.0

// Command flyball is the loop for models that predict a number or a class from a
// table. It hands its arguments to package cli and does nothing else.
package main

import (
	"os"

	"flyball/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
