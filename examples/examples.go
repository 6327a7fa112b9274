// SPDX-License-Identifier: Apache-2.0

// Package examples holds the model files and the data that Flyball shows itself
// with, so that the binary alone can run its demo. The data's licences lie beside
// it. It computes nothing.
package examples

import "embed"

// Bike is the folder of the demo's model: bikes hired per hour.
//
//go:embed bike-demand/model.yaml bike-demand/demo_bike_hourly.csv.gz
var Bike embed.FS
