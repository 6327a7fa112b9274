// SPDX-License-Identifier: Apache-2.0

package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"flyball/fault"
)

// What a password costs to check (OWASP Password Storage Cheat Sheet, argon2id).
const (
	passTime    = 2
	passMemory  = 19 * 1024 // KiB
	passThreads = 1
	passLength  = 32
	saltLength  = 16
)

// The least and the most bytes of a password (NIST SP 800-63B-4 asks for 15 where it is
// the only factor, and to allow 64; a passphrase has both).
const (
	minPassword = 12
	maxPassword = 256
)

// CheckPassword says whether a password can be one: an Invalid fault says why not.
func CheckPassword(name, password string) error {
	switch {
	case len(password) < minPassword:
		return fault.New(fault.Invalid, "the password is too short: it needs %d characters", minPassword).Do("take a few words")
	case len(password) > maxPassword:
		return fault.New(fault.Invalid, "the password is too long: at most %d bytes", maxPassword)
	case strings.Contains(strings.ToLower(password), name) && len(password) < len(name)+minPassword:
		return fault.New(fault.Invalid, "the password holds the user's name and little else")
	}
	return nil
}

// HashPassword is what is kept of a password: argon2id with a salt of its own, in the PHC
// string format. It takes about 20 ms and 19 MiB.
func HashPassword(password string) string {
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt) // never fails
	sum := argon2.IDKey([]byte(password), salt, passTime, passMemory, passThreads, passLength)
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, passMemory, passTime, passThreads, b.EncodeToString(salt), b.EncodeToString(sum))
}

// passwordIs says whether a password is the one that was hashed. What is no hash of
// HashPassword, or asks for more than 64 MiB, is none's.
func passwordIs(hash, password string) bool {
	var version, memory, time, threads uint32
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || len(password) > maxPassword {
		return false
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil {
		return false
	}
	if memory < 8 || memory > 64*1024 || time < 1 || time > 10 || threads < 1 || threads > 4 {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	sum, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(sum) < 16 || len(sum) > 64 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, time, memory, uint8(threads), uint32(len(sum))) //nolint:gosec // both are bounded above
	return subtle.ConstantTimeCompare(got, sum) == 1
}
