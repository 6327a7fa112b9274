// SPDX-License-Identifier: Apache-2.0

package mlflow

// experimentRoutes adds the calls about experiments.
func (f *face) experimentRoutes() {}
