// SPDX-License-Identifier: Apache-2.0

// Package mlmodel writes versions as MLflow model folders, which MLflow's own clients
// load without Flyball, and reads the folders that MLflow's clients wrote, so that
// what others trained can be judged and served. It runs no Python and unpickles
// nothing; which version is asked for, and whether it may serve, others decide.
package mlmodel
