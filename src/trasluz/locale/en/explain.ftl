# Pages of a derivation.

explain-title = Derivation of { $name }
explain-stage-data = Data: from the table's cells to the inputs
explain-stage-forward = Forward: layer { $part }
explain-stage-loss = Loss
explain-stage-chain = The chain rule for { $part }
explain-stage-backward = { $part ->
    [loss] Backward: the loss
   *[other] Backward: layer { $part }
}
explain-stage-update = Update: { $part }
explain-reused = see { $numbers }
explain-checks = The same derivative in three ways
explain-check-derived = from this derivation
explain-check-backward = from the backward pass
explain-check-difference = from a central difference
explain-print-missing = pages are printed by the package typst, which is not installed
    .mend = pip install 'trasluz[print]'
explain-note-entropy = the cross-entropy, written with the probabilities
explain-note-long-way = the long way: through every probability and the Jacobian
explain-note-short-way = the short way: prediction less target, as the targets add up to 1
explain-note-jacobian = the Jacobian: a row for each probability, a column for each logit
