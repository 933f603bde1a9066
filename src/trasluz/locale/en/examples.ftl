# Worked examples

option-page-form = How the page is written.
example-next = To work one out: trasluz example NAME
example-errata = Where the notes are wrong
example-printed = printed, from its mistake
example-right = right
example-unknown = there is no example “{ $name }”; { $nearest }
    .mend = see `trasluz example`
example-no-picture = this example has no picture
    .mend = leave --plot out, or take one of: { $names }
example-drawn = The picture is written to { $file }

example-unam-2-2-2 = The 2-2-2 network: all its derivatives by hand
example-unam-2-2-2-about = Two inputs, two hidden units, two outputs, sigmoids, and one bias for each layer, shared by its units; E = Σ ½(t − ŷ)², learning rate 0.6.
example-aisc-dose = Which dose works: one hidden layer, nine doses
example-aisc-dose-about = Two ReLU units, an upper and a lower one, and a weighted sum of them. All parameters but w₃ are known; gradient descent finds it, and then trains all six. In formulas x is the dose, t the observed and ŷ the predicted effectiveness; SSR = Σ (t − ŷ)².
example-toledo-tanh-sigmoid = A derivation: f = S(w₂₀ + w₂₁·tanh(w₁₀ + w₁₁·x₁ + w₁₂·x₂))
example-toledo-tanh-sigmoid-about = S is the sigmoid, σ in formulas, and e = ½(y − f)²; the derivative in each of the five weights, and its update with learning rate 0.5.
example-t8-matrix = Backpropagation with matrices
example-t8-matrix-about = A 3-2-2 network on columns: z = W a + b, tanh and then sigmoid, C = (y − a)². Rows of a matrix are parted by “;”. Factors of the same shape are multiplied entry by entry.
example-perceptron-and = The perceptron learns AND
example-perceptron-and-about = At each mistake of sign(w·x + w₀) the weights are corrected: w ← w + ηyx, with η = 1. A line parts the two classes, so the mistakes come to an end.
example-perceptron-xor = The perceptron cannot learn XOR, three of them can
example-perceptron-xor-about = No line parts these classes: the corrections go round in a circle. Two perceptrons that learn OR and AND feed a third, which learns XOR from what they say.
example-xor = XOR with and without an activation
example-xor-about = The same 2-2-1 network from the same start, once with linear units and once with tanh; mean squared error, learning rate 0.2. The linear network ends by saying 0 everywhere, which is neither class.
example-descent-1d = Gradient descent on a curve
example-descent-1d-about = f(w) = (w − 2)² from w = −1, with a learning rate that is too small, right, too large; then a curve with two valleys.
example-descent-2d = Gradient descent on a surface
example-descent-2d-about = f(w) = ½(w₁² + 10·w₂²) from (−4, 1): what is too large for the steep direction alone is too large.
example-walkthrough-2-2-2 = Another 2-2-2 network, worked out on many pages
example-walkthrough-2-2-2-about = The numbers of a widely read walkthrough: w₁ and w₂ feed the first hidden unit; learning rate 0.5.
example-walkthrough-dose = Another dose network: three doses, softplus
example-walkthrough-dose-about = The numbers of a widely watched walkthrough: only the last bias b₃ is trained, with learning rate 0.1. In formulas x is the dose, t the observed and ŷ the predicted effectiveness; SSR = Σ (t − ŷ)².

example-step-forward = Forward
example-step-errors = The error of each output, and the whole
example-step-output-weights = The derivatives in the weights of the output layer, factor by factor, and their new values
example-step-hidden-weights = The derivatives in the weights of the hidden layer, by output error; factors worked out above are used again
example-step-derivatives = All derivatives, by output error and in all, and the new values
example-step-checks = Each derivative three times: derived, backward pass, central difference
example-step-second-forward = The second forward pass, with the biases frozen and trained
example-step-convergence = Again and again, until no parameter moves by more than 0.0001
example-step-predictions = Forward, dose by dose
example-step-curve = The sum of squared residuals as a function of w₃
example-step-chain-rule = The chain rule, on one dose
example-step-sum-of-rows = The derivative is the sum over the doses
example-step-update = One step
example-step-repetition = Again and again, until it moves no more
example-step-all-derivatives = The derivatives in all parameters, at w₃ = 0 and at the minimum
example-step-hidden-chain-rule = The chain rule through the upper unit; the ReLU's slope is [x > 0]: 1 where it holds and 0 elsewhere
example-step-all-trained = All six parameters trained together
example-step-unit-curves = Each unit's curve, scaled by its outgoing weight; the sum is the prediction
example-step-count = How many parameters there are: inputs × units, and a bias for each unit in layers with biases. Summed layer by layer, so are those of a model of 36 layers and 120 billion parameters
example-step-derivation = The five derivatives and updates; factors worked out once are used again
example-step-updates = In a table
example-step-after = After the step
example-step-given = Given
example-step-matrix-forward = Forward
example-step-matrix-backward = Backward
example-step-matrix-update = New values, with learning rate 0.5
example-step-data = The rows
example-step-corrections = The corrections, in order (a dozen at most)
example-step-correction-spelled = The first correction, weight by weight
example-step-result = The result
example-step-three = Two perceptrons learn OR and AND, and the third learns from what they say
example-step-three-say = What they say
example-step-training = Training: the last steps
example-step-collapse = Two linear layers are one: W⁽¹⁾W⁽²⁾, and no line gets more than 3 of 4 right
example-step-rates = Three rates
example-step-paths = Step by step
example-step-local-minima = Two starts on a curve with two valleys: each ends in its own

example-word-name = name
example-word-value = value
example-word-new = new
example-word-derived = derived
example-word-backward = backward
example-word-difference = central difference
example-word-biases = biases
example-word-biases-frozen = frozen
example-word-biases-trained = trained
example-word-step = step
example-word-dose = dose
example-word-predicted = predicted
example-word-observed = observed
example-word-residual = residual
example-word-sum = sum
example-word-derivative = derivative
example-word-rate = learning rate
example-word-step-size = step size
example-word-layer = layer
example-word-shapes = shapes
example-word-parameters = parameters
example-word-formula = formula
example-word-shape = shape
example-word-numbers = numbers
example-word-cost-before = ΣC before
example-word-cost-after = ΣC after
example-word-epoch = epoch
example-word-epochs = epochs
example-word-row = row
example-word-mistakes = mistakes
example-word-accuracy = accuracy
example-word-perceptron = perceptron
example-word-first = first
example-word-second = second
example-word-third = third
example-word-units = units
example-word-linear-units = linear
example-word-tanh-units = tanh
example-word-outputs = outputs
example-word-difference-of-outputs = difference of the two networks' outputs
example-word-best-line = accuracy of the best of 729 lines
example-word-which = which
example-word-too-small = too small
example-word-right = right
example-word-too-large = too large
example-word-last-loss = f(w) at the end
example-word-start = start
example-word-end = end

example-erratum-unam-sum = sum ŷ₁ in the hidden layer's derivation: ŷ₁·w₅ + ŷ₂·w₆ + B₂ is written, and n₁·w₅ + n₂·w₆ + B₂ is meant
example-erratum-unam-linear = the outputs are said to be linear; the numbers use the sigmoid
example-erratum-unam-normalisation = the learnt parameters of batch normalisation
example-erratum-unam-rmsprop = RMSProp divides by √v + ε, with one root; the notes take a root twice, g/√v after v ← √v + ε (here for the first step on w₅, g/(√v + ε), with β = 0.9, ε = 10⁻⁷). Keras, and this library with it, has ε under the root: g/√(v + ε)
example-erratum-unam-penalties = norm penalties, both with λ/2: a convention. The ½ belongs to L2 alone, where it goes with the 2 of the derivative; Keras has none in either (here L1 and L2 of the eight weights, with λ = 1)
example-erratum-unam-smoothing = label smoothing with ε/(k−1) and 1−ε: a convention. Keras uses ε/k and 1−ε+ε/k (here k = 5, class 3, ε = 0.01)
example-erratum-aisc-derivative = dSSR/dw₃ at w₃ = 0: the dose column was used as the observed one
example-erratum-aisc-rows = its rows, from dose 0.5 on
example-erratum-aisc-step = the first new w₃ that follows from it
example-erratum-aisc-dose = the dose between 0.7 and 0.9: a decimal point is out of its place
example-erratum-toledo-tanh = the slope of tanh: “1 tanh²” has lost its minus sign, 1 − tanh² (here at z_g)
example-erratum-toledo-crossentropy = categorical cross-entropy is −Σ y log ŷ; the minus sign is missing (here y = (0, 0, 1), ŷ = (0.1, 0.2, 0.7))
example-erratum-toledo-update = the perceptron's rule: “well classified: w + ηyx; misclassified: w” has the two cases swapped (here the accuracy on AND that each rule reaches)
example-erratum-toledo-epoch = an epoch: one step is called so, and it is one pass over all rows (here in steps)
example-erratum-toledo-surrogate = the smooth surrogate of the 0/1 loss: max(−y·sign(w·x), 0) has slope 0 everywhere, max(−y·(w·x), 0) is meant (here the slope in w = (0.5, −1) on the misclassified row (1, 1))
example-erratum-toledo-hinge = the hinge loss is max(1 − yŷ, 0); max(−yŷ, 0) is the perceptron's (here y = 1, ŷ = 0.4)
example-erratum-toledo-xor-data = the rows of XOR: (−1, 1) stands twice, labelled −1 and +1, and the row (−1, −1) is missing (here the accuracy that the three perceptrons reach)
example-erratum-toledo-xor-network = two hidden units without an activation are said to solve XOR perfectly; linear maps one after the other are linear (here the best accuracy of a line, and that of the network with tanh)

curve-slope = tangent, slope
curve-sum = sum: the prediction
curve-observed = observed
curve-dose = dose
curve-effect = effectiveness
curve-line = the perceptron's line
