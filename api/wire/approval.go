// SPDX-License-Identifier: Apache-2.0

package wire

import "flyball/control"

// Approval is a request for leave to release a version, and how it stands.
type Approval = control.Approval

// Say is what somebody says to it.
type Say = control.Say
