# SPDX-License-Identifier: Apache-2.0
"""What Fairlearn says of each sample on standard input: [{"truth": [...], "said": [...], "group": [...]}]."""

import json
import sys

from fairlearn import metrics as f
from sklearn.metrics import precision_score


def told(rows):
    truth, said, group = rows["truth"], rows["said"], rows["group"]
    frame = f.MetricFrame(
        metrics={
            "selection": f.selection_rate,
            "tpr": f.true_positive_rate,
            "fpr": f.false_positive_rate,
            "precision": lambda y, p: precision_score(y, p, zero_division=0),
            "rows": f.count,
            "base": lambda y, p: sum(y) / len(y),
        },
        y_true=truth,
        y_pred=said,
        sensitive_features=group,
    )
    of = {"sensitive_features": group}
    return {
        "groups": {str(k): {m: float(v) for m, v in row.items()} for k, row in frame.by_group.iterrows()},
        "demographic_parity_difference": f.demographic_parity_difference(truth, said, **of),
        "demographic_parity_ratio": f.demographic_parity_ratio(truth, said, **of),
        "equal_opportunity_difference": f.equal_opportunity_difference(truth, said, **of),
        "equalized_odds_difference": f.equalized_odds_difference(truth, said, **of),
    }


json.dump([told(rows) for rows in json.load(sys.stdin)], sys.stdout)
