// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"flyball/ident"
)

// VersionsTag is the tag of a logged model that lists the versions registered from it.
const VersionsTag = "mlflow.modelVersions"

// AddToVersionsTag is the value of VersionsTag with one more version, as MLflow's server
// writes it. Clients add the same with the number as text. A value that is no list, or
// that would be longer than a tag may be, stays as it is.
func AddToVersionsTag(value string, ref ident.Ref) string {
	var list []json.RawMessage
	if value != "" && json.Unmarshal([]byte(value), &list) != nil {
		return value
	}
	var name bytes.Buffer
	e := json.NewEncoder(&name)
	e.SetEscapeHTML(false)
	_ = e.Encode(ref.Model) // a string always is JSON
	one := `{"name": ` + strings.TrimSpace(name.String()) + `, "version": ` + strconv.Itoa(ref.Version) + "}]"
	longer := "[" + one
	if len(list) > 0 {
		longer = strings.TrimRight(strings.TrimSuffix(strings.TrimSpace(value), "]"), " \t\r\n") + ", " + one
	}
	if len(longer) > maxTagValue {
		return value
	}
	return longer
}
