// SPDX-License-Identifier: Apache-2.0

package registry

import "flyball/search"

// PromptTag is the tag of models that are prompts and no models. In a Query, a
// NotEqual of this key also holds for what does not have the tag.
const PromptTag = "mlflow.prompt.is_prompt"

// Query asks for models or for versions.
type Query struct {
	Filter search.Filter
	Order  []search.Order // none: models by name; versions by the last change, newest first, then name and the highest number
	Limit  int            // positive
	Token  string         // of the answer before; empty: from the beginning. One that cannot be read is an Invalid fault
	Brief  bool           // versions without their Report
}
