// SPDX-License-Identifier: Apache-2.0

package access

// Permission is what a caller must be allowed for a route.
type Permission string

// The permissions.
const (
	Open     Permission = "open"     // everybody who reaches the server: is it there, and what is it?
	Known    Permission = "known"    // whoever signed in, whatever their roles: themselves and their tokens
	Read     Permission = "read"     // see how things stand
	Rows     Permission = "rows"     // see the rows of predictions and the files of models
	Fairness Permission = "fairness" // see what a model does for groups of people, never of a row
	Serve    Permission = "serve"    // answer in this server's place: learn what is to be served, and who may ask
	Predict  Permission = "predict"  // ask for predictions and tell truths
	Track    Permission = "track"    // log runs, artifacts and models; register versions
	Apply    Permission = "apply"    // change a model's file and data
	Train    Permission = "train"    // have a version trained, judged or made again
	Propose  Permission = "propose"  // begin a release
	Operate  Permission = "operate"  // resume, load and unload, end what runs
	Retreat  Permission = "retreat"  // roll back and hold: whoever may do that needs nobody's leave
	Approve  Permission = "approve"  // give leave to a release that others proposed, or refuse it
	Glass    Permission = "glass"    // break the glass: two hours without others' leave, on record for ever
	Ack      Permission = "ack"      // acknowledge alerts, silence them for a while, open and close incidents
	Audit    Permission = "audit"    // read who changed what
	Users    Permission = "users"    // say who may what
	Keep     Permission = "keep"     // remove for good what was deleted
	Backup   Permission = "backup"   // copy everything, with the keys and the digests of secrets
	Clock    Permission = "clock"    // move a manual clock
)

// Changes reports whether what asks for the permission changes something for others, or is
// dear: how often one caller may do so is bounded. Predictions and what is logged are not
// among it, for they are many by nature and have bounds of their own.
func (p Permission) Changes() bool {
	switch p {
	case Open, Read, Rows, Fairness, Audit, Predict, Serve, Track:
		return false
	}
	return true
}

// Permissions are all permissions but Open and Known, in the order in which they are shown.
func Permissions() []Permission {
	return []Permission{Read, Rows, Fairness, Predict, Serve, Track, Apply, Train, Propose, Operate, Retreat, Approve, Glass, Ack, Audit, Users, Keep, Backup, Clock}
}
