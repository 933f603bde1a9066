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
explain-memory = so much of { $first } is left in { $last }: the way from step to step alone, without those through gates and sums
explain-greatest = { $count ->
    [one] { $which } is the greatest: the derivative goes through it alone
   *[other] { $which } are equal, and the greatest: they share the derivative equally
}
explain-least = { $count ->
    [one] { $which } is the least: the derivative goes through it alone
   *[other] { $which } are equal, and the least: they share the derivative equally
}
explain-masked-among = { $count ->
    [one] a place does not count here: -1 × 10⁹ stands for its score, and e to that is 0
   *[other] { $count } places do not count here: -1 × 10⁹ stands for their scores, and e to that is 0
}
explain-masked = the mask leaves this place out: nothing is taken of it, and no derivative goes there
explain-unused = nothing that the loss rests on uses it
explain-softmax-back = back through the softmax: what comes back to the share, less the mean of that over all places, weighted by their shares
explain-paths = three paths: through what is normalised { $normalised }, through the variance { $variance }, through the mean { $mean }
explain-paths-together = the three paths in one: what comes back, less its mean, less the part of it that goes along with the normalised value
explain-step-masked = the mask leaves this step out: the state before stays, and no derivative passes through the step
explain-off = switched off: multiplied by 0
explain-row-unused = none of these rows looks this one of the table up: nothing comes back to it
explain-row-used = { $count ->
    [one] this row of the table was looked up once, for { $which }; rows that nobody looks up get nothing
   *[other] this row of the table was looked up { $count } times, for { $which }{ $more ->
        [0] {""}
       *[other] {" "}and { $more } more
    }: what comes back there adds up; rows that nobody looks up get nothing
}
explain-row-windows = windows: each row is a window of the array, laid out flat; a convolution is then one product
explain-row-place = place: back to where it was taken from, zeros elsewhere
explain-row-mask = mask: what does not count is put at -1 × 10⁹ before a softmax, and at 0 after it
explain-row-scatter = scatter: each row goes back to where it was looked up in the table; rows that were looked up more than once add up
explain-places = Place by place: what the weight met, times what comes back
explain-places-met = { $met }: what the weight was multiplied with at each place; { $back }: the derivative in the sum there
explain-places-left = the weight was used at { $all } places; the { $count } that are left out come to { $rest } together
explain-places-row = row { $row }
explain-places-title-met = what the weight met
explain-places-title-back = what comes back
explain-places-title-product = their product; sum { $total }
explain-unknown = there is nothing named “{ $name }” to derive for
    .mend = { $nearest }
explain-no-entry = { $name } of shape { $shape } has no entry { $at }
    .mend = count from 0; its last entry is { $last }
explain-not-trained = “{ $name }” is not trained: no derivative is taken in it
    .mend = { $nearest }
explain-whole-numbers = the input “{ $name }” holds whole numbers, and has no derivative
    .mend = ask for the embedding that they choose from
explain-no-call = the model has no call that gives its outputs
    .mend = write call(self, x), or ask a layer of it that is compiled by itself
explain-not-moved = “{ $name }” is not a parameter: no optimizer moves it
    .mend = leave update out, or ask for a weight
explain-not-finite = a number is not finite: { $value } comes first from “{ $row }”, at { $at } of shape { $shape }
    .mend = look at the inputs and weights there for NaN and for very large numbers
explain-nothing = the loss depends on no weight and on no number of the inputs
    .mend = let the outputs be computed from the inputs, or from weights
explain-cut = the loss depends on { $name } only through “{ $row }”, which has no derivative
    .mend = choose a function with a derivative there, e.g. tanh instead of sign
explain-apart = the loss does not depend on { $name }
    .mend = a cross-entropy is worked out from what goes into the softmax or sigmoid: ask for a layer's sum, such as dense/sum, or for an earlier layer
explain-depth = depth is “{ $depth }”
    .mend = choose 'layer' or 'op'
explain-cells = cells is { $cells }
    .mend = give formulas by the number of the column, or leave it out
explain-digits = digits is { $digits }
    .mend = give a whole number from 1 to 17
explain-needs-entry = update, depth and names are for one entry, and none is given
    .mend = say which, as in dense/kernel[0, 1], or leave them out for the matrix form
explain-at = “{ $at }” is no entry
    .mend = give whole numbers, one an axis, such as (0, 1)
explain-name-wrong = “{ $name }” is not a formula: { $reason }
    .mend = give names in LaTeX, with braces that pair
explain-name-key = { $key } is no entry that could be named
    .mend = give a path and a place, such as ("dense/kernel", (0, 1))
