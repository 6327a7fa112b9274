// SPDX-License-Identifier: Apache-2.0

package maturity

import "slices"

// Checks are all checks, level by level. They follow the criteria of Azure's MLOps
// maturity model (learn.microsoft.com, 28 Oct 2025), each turned into a question that
// records answer.
func Checks() []Check { return slices.Concat(first(), second(), third(), fourth()) }

// first are the checks of level 1: work as in any software, nothing special for models.
func first() []Check {
	return []Check{
		{"L1.code-versioned", 1, Creation, Evidence, "At least 90 % of the versions of 90 days were made from a commit with nothing changed beside it.", "flyball apply MODEL.yaml, inside a git checkout with everything committed", (*Facts).codeVersioned},
		{"L1.build-auto", 1, Release, Mixed, "A program applied the model file, or reported a build, in 90 days.", "flyball apply MODEL.yaml, from CI with a token of the role ci", (*Facts).buildAuto},
		{"L1.app-tests", 1, Integration, Mixed, "A program reported that the unit tests of the application passed, in 90 days.", "flyball test report unit --target app --status pass, from CI", (*Facts).appTests},
		{"L1.model-integration-test", 1, Integration, Evidence, "Every version that began to answer in 90 days reproduced its golden rows in the server first.", "flyball releases MODEL", (*Facts).modelTest},
		{"L1.data-pipeline-auto", 1, Creation, Evidence, "At least two snapshots of 90 days were made by a trigger, and none by hand.", "flyball apply MODEL.yaml, with retrain: {when: [schedule], every: 7d}", (*Facts).dataAuto},
		{"L1.scoring-code-versioned", 1, Release, Evidence, "The bundle of the live version holds the pipeline before and after the model, as its record says.", "flyball retrain MODEL --why 'a version with its record'", (*Facts).scoringVersioned},
		{"L1.app-release-auto", 1, Integration, Mixed, "The last three deployments of the application, within 180 days, were made by a program.", "flyball test report deploy --target app --status pass, from CI", (*Facts).appRelease},
	}
}

// second are the checks of level 2: training by itself.
func second() []Check {
	return []Check{
		{"L2.training-auto", 2, Creation, Evidence, "A trigger (schedule, drift or score) brought forth a version in 90 days.", "flyball apply MODEL.yaml, with retrain: {when: [schedule, drift, score]}", (*Facts).trainingAuto},
		{"L2.env-managed", 2, Creation, Evidence, "Of every version of 90 days it is recorded what it was made in, and that can be had again.", "flyball retrain MODEL --why 'a version with its record'", (*Facts).environment},
		{"L2.reproducible", 2, Creation, Evidence, "The live version was made again within 180 days, and came out the same (R1 to R3).", "flyball reproduce MODEL@live", (*Facts).reproducible},
		{"L2.tracking-central", 2, Creation, Evidence, "At least 95 % of the versions of 90 days have a run with params, metrics and datasets.", "flyball runs -m MODEL", (*Facts).tracked},
		{"L2.model-managed", 2, Creation, Evidence, "What serves is a registered version, and the model has an owner.", "flyball apply MODEL.yaml, with an owner under duties", (*Facts).managed},
		{"L2.recurring-training", 2, Creation, Evidence, "Triggers brought forth at least two versions in 180 days.", "flyball resume MODEL, and leave its triggers on", (*Facts).recurring},
		{"L2.feature-definitions", 2, Creation, Evidence, "The live version answers by the very pipeline that it was trained by, and no difference was found.", "flyball alerts MODEL", (*Facts).features},
		{"L2.lifecycle-events", 2, Operations, Evidence, "A subscriber took an event of a version or a run in 90 days.", "flyball serve --event-webhook ADDRESS", (*Facts).lifecycle},
		{"L2.compute-managed", 2, Creation, Mixed, "At least 90 % of the versions of 90 days were trained by the server, not on somebody's machine.", "flyball retrain MODEL --why 'on the server'", (*Facts).compute},
		{"L2.ds-de-work-together", 2, People, Mixed, "The duties feed and retrain are different people's, and both applied or approved something in 90 days.", "flyball apply MODEL.yaml, with duties for two people", (*Facts).together},
		{"L2.release-low-friction", 2, Release, Evidence, "Half of the last five releases took less than a day from the request to the first answer.", "flyball delivery MODEL", (*Facts).friction},
		{"L2.scoring-tests", 2, Release, Evidence, "Every version that began to answer in 90 days passed its golden rows and tests of its own.", "flyball apply MODEL.yaml, with gate: {tests: [...]}", (*Facts).scoringTests},
	}
}

// third are the checks of level 3: releases by themselves.
func third() []Check {
	return []Check{
		{"L3.release-auto", 3, Release, Evidence, "The last three releases advanced by their plan, none moved on by hand.", "flyball releases MODEL, and let the plan do the rest", (*Facts).releaseAuto},
		{"L3.release-by-ci", 3, Release, Evidence, "The releases of 90 days were begun by programs or by the loop.", "flyball promote MODEL@N, from CI with a token of the role ci", (*Facts).releaseByCI},
		{"L3.ab-integrated", 3, Release, Evidence, "Every release of 90 days was compared with the live version, in shadow or by a split, with a sentence on what came of it.", "flyball apply MODEL.yaml, with release: {shadow: {for: 1d}}", (*Facts).compared},
		{"L3.traceable", 3, Operations, Evidence, "Each of 20 predictions, drawn by a seed over 30 days, leads to its version, record, commit, snapshot and environment.", "flyball explain PREDICTION -m MODEL", (*Facts).traceable},
		{"L3.envs-managed", 3, Release, Evidence, "The live version came, with the same bytes, from another server where it ran before.", "flyball export MODEL@N FILE there, flyball import FILE here", (*Facts).environments},
		{"L3.tests-each-release", 3, Integration, Evidence, "Unit and integration tests passed on every version that began to answer in 90 days.", "flyball test report integration --target scoring --status pass --model MODEL --version N", (*Facts).testedReleases},
		{"L3.all-code-tested", 3, Integration, Mixed, "Tests of the pipeline, of scoring and of the application each reported a pass in 90 days, the newest of each.", "flyball test report unit --target pipeline --status pass", (*Facts).allTested},
		{"L3.rollback-proven", 3, Release, Evidence, "The way back was gone, or tried by a drill, within 180 days, and the newest time it held, in time.", "flyball rollback MODEL --drill", (*Facts).rollback},
		{"L3.promotion-registry", 3, Release, Evidence, "A version of 90 days was brought in by its digest, not built again.", "flyball export MODEL@N FILE there, flyball import FILE here", (*Facts).promotedByDigest},
		{"L3.less-reliance-on-ds", 3, People, Evidence, "At least two people who did not train it approved or moved the last five releases.", "flyball users add NAME --role ml-engineer:MODEL", (*Facts).operators},
	}
}

// fourth are the checks of level 4: the whole loop by itself.
func fourth() []Check {
	return []Check{
		{"L4.retrain-from-production", 4, Creation, Evidence, "A finding of production brought forth a version in 180 days.", "flyball apply MODEL.yaml, with retrain: {when: [drift, score]}", (*Facts).fromProduction},
		{"L4.metrics-verbose", 4, Operations, Evidence, "Requests, failures, drift of inputs and of predictions are known of at least 95 % of 30 days.", "flyball drift MODEL", (*Facts).series},
		{"L4.feature-freshness", 4, Operations, Evidence, "The source has a limit of its age, and was checked in 24 hours.", "flyball apply MODEL.yaml, with data: {checks: [{fresh: {within: 2d}}]}", (*Facts).freshness},
		{"L4.promotion-policy", 4, Release, Evidence, "A version of a trigger became live by its plan alone in 180 days.", "flyball apply MODEL.yaml, with release: and retrain:", (*Facts).byPolicy},
		{"L4.auto-test-train", 4, Creation, Evidence, "Every training of 90 days by a trigger ended in a verdict of a gate that asks for something.", "flyball apply MODEL.yaml, with gate: {metrics: [...]}", (*Facts).gated},
		{"L4.near-zero-downtime", 4, Operations, Evidence, "99.9 % of the requests of 30 days were answered, and during releases all were.", "flyball status MODEL", (*Facts).available},
		{"L4.incident-learning", 4, People, Evidence, "Every incident that was closed in 90 days has an owner, a cause and a change, and none has been open for 30 days.", "flyball incidents MODEL", (*Facts).learnt},
		{"L4.duties-covered", 4, People, Evidence, "The four duties have an owner and a backup each, and 90 % of the alerts of 90 days were acknowledged in time.", "flyball apply MODEL.yaml, with duties", (*Facts).covered},
	}
}
