// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// The words of random names: plain, short and friendly.
const (
	adjectives = `able agile amber amused ancient bold brave breezy bright brisk calm candid careful cheerful clean clear
clever cosmic crisp curious daring dapper deft delicate eager earnest easy fair fancy fearless fine fleet fluent fond frank free
fresh funny gentle gifted glad golden good grand happy handy hardy honest humble keen kind lively loud lucky luminous
mellow merry mighty mild modest neat nimble noble open orderly patient peaceful placid plucky polite proud quick quiet
rapid rare ready regal robust rustic salty secret sedate serious shiny shy silent silly skillful sleek smart smooth
snappy sincere solid spry steady stately stoic strong sturdy sunny swift tall tender thoughtful tidy tranquil trusting
unique upbeat useful valiant vast vivid warm wary welcome whimsical wild wise witty worthy youthful zealous`
	nouns = `ant ape auk bass bat bear beaver bee bird bison boar bug calf carp cat chimp cod colt conch cow crab crane
cricket crow cub deer dog dolphin donkey dove duck eel elk ewe falcon fawn finch fish flea fly foal fowl fox frog gnat gnu
goat goose grouse grub gull hare hawk hen heron hog horse hound ibis jay kit kite koi lamb lark loon lynx mare midge
mink mole moose moth mouse mule newt owl ox panda perch pig pike plover pony quail ram rat ray robin roo rook seal shad
shark sheep shoat shrew shrike shrimp skink skunk sloth slug smelt snail snake snipe sow sponge squid squirrel stag
steed stoat stork swan tern toad trout turtle vole wasp whale wolf worm wren yak zebra`
)

// RandomName is a name for what was given none, such as upbeat-dolphin-434. It is for
// people: two things may have the same.
func RandomName() string {
	return word(adjectives) + "-" + word(nouns) + "-" + strconv.Itoa(rand.IntN(1000))
}

func word(words string) string {
	list := strings.Fields(words)
	return list[rand.IntN(len(list))]
}
