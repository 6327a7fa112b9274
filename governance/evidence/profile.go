// SPDX-License-Identifier: Apache-2.0

package evidence

// headings are those of one document.
type headings struct {
	name, document string
	all            []heading
}

// heading asks for kinds of records; outside is what it asks for and no record of Flyball can be.
type heading struct {
	title   string
	asks    []kind
	outside []string
}

// Profiles are the names of the profiles.
func Profiles() []string {
	var out []string
	for _, p := range profiles() {
		out = append(out, p.name)
	}
	return out
}

// profiles are what each document asks for, in our words. Regulation (EU) 2024/1689; the
// supervisory letter SR 26-2 (formerly SR 11-7); ISO/IEC 42001:2023, Annex A; NIST AI 100-1.
func profiles() []headings {
	return []headings{
		{"ai-act", "the EU AI Act", []heading{
			{"Annex IV (1): general description", []kind{intended, owner, version, provenance}, nil},
			{"Annex IV (2): how it was developed", []kind{data, provenance, environment, performance, parted, groups, tests, reproduced}, []string{"Cybersecurity measures"}},
			{"Annex IV (3): monitoring, functioning and control", []kind{outOfScope, affected, limits, monitors}, nil},
			{"Annex IV (4): why these metrics", []kind{performance}, []string{"Why the metrics fit the use"}},
			{"Annex IV (5), Article 9: risk management", []kind{risk}, []string{"The risk-management system"}},
			{"Annex IV (6): changes over its life", []kind{releases, chain}, nil},
			{"Annex IV (7) and (8): standards and declaration", nil, []string{"Standards that were applied", "The EU declaration of conformity"}},
			{"Annex IV (9), Article 72: after it is on the market", []kind{monitors, truths, duties}, []string{"The post-market monitoring plan"}},
			{"Article 10: data", []kind{data}, []string{"Where the data come from, and on what legal ground"}},
			{"Articles 12, 19 and 26 (6): logs", []kind{predictions, chain}, nil},
			{"Article 14: human oversight", []kind{duties, releases}, nil},
			{"Article 73: serious incidents", []kind{findings}, []string{"Reports to an authority"}},
			{"Article 86: explaining a decision", []kind{reasons}, nil},
		}},
		{"sr-26-2", "SR 26-2 (model risk management, formerly SR 11-7)", []heading{
			{"Inventory", []kind{version, intended, outOfScope, owner}, nil},
			{"Tiering", []kind{risk}, nil},
			{"Development and use", []kind{data, provenance, environment, limits}, nil},
			{"Independent validation", []kind{performance, parted, tests, reproduced}, []string{"The validator's own report"}},
			{"Ongoing monitoring", []kind{monitors, findings}, nil},
			{"Outcomes analysis", []kind{predictions, truths}, nil},
			{"Effective challenge and governance", []kind{duties, releases, chain}, []string{"The policy, and who approved it"}},
		}},
		{"iso-42001", "ISO/IEC 42001, Annex A", []heading{
			{"A.3.2 Roles and responsibilities", []kind{owner, duties}, nil},
			{"A.5 Impact", []kind{affected, groups}, []string{"The impact assessment"}},
			{"A.6.2.4 Verification and validation", []kind{performance, parted, tests}, nil},
			{"A.6.2.5 Deployment", []kind{releases}, nil},
			{"A.6.2.6 Operation and monitoring", []kind{monitors, findings, truths}, nil},
			{"A.6.2.7 Technical documentation", []kind{version, intended, limits, provenance, environment, reproduced}, nil},
			{"A.6.2.8 Event logs", []kind{predictions, chain}, nil},
			{"A.7 Data", []kind{data}, []string{"How data were acquired, and their quality requirements"}},
		}},
		{"nist", "the NIST AI Risk Management Framework", []heading{
			{"GOVERN", []kind{owner, duties, chain}, []string{"Policies, and training of people"}},
			{"MAP", []kind{intended, outOfScope, affected, limits, risk}, nil},
			{"MEASURE", []kind{performance, parted, groups, tests, monitors, reasons}, nil},
			{"MANAGE", []kind{findings, releases, truths}, []string{"Plans for incidents"}},
		}},
	}
}
