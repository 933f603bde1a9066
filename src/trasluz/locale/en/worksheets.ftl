# Command lines

command-worksheet = Make worksheets: one training step of a small network for each student, with numbers of their own and blanks, and the answers for the teacher.
command-grade = Grade ANSWERS to SHEET (its .json file, or the page beside it), or a folder of answers to a folder of sheets; an early mistake costs its own point only.
option-network = Inputs, and units of each layer.
option-activations = Activation of the layers; one for each with commas between them.
option-loss = What is minimised: half_squared_error, mse, categorical_crossentropy …
option-rate = Size of the step; drawn for each student unless given.
option-sheet-seed = Seed of all numbers: the same seed makes the same sheets.
option-students = How many sheets.
option-blanks = Steps left blank, evenly from the first to the last; 12 unless given, or all of --stages.
option-stages = Where the blanks are: forward, loss, backward, update; several with commas between them.
option-weights = A weight to derive: w5, or its path and entry such as 'output/kernel[0, 0]'; may be given several times.
option-sheet-form = What the sheets are written as.
option-folder = Where to write.
option-model = Make the sheets from this model of your own, with --data.
option-data = The table with the rows for --model.
option-rows = Numbers of its rows, from 1, with commas between them; all unless given.
option-example = Make the worksheet of a worked example: unam-2-2-2.
option-tolerance = How far an answer may be off, as a share of the right one.

# Drawings of networks

diagram-network = network { $sizes }
diagram-layers = network of { $count } layers
diagram-inputs = inputs
diagram-hidden = hidden
diagram-output = output

# Pages of worksheets

worksheet-title = One training step of a network, by hand
worksheet-student = Student { $student }
worksheet-name = Name
worksheet-date = Date
worksheet-points = Points
worksheet-sheet = Sheet
worksheet-task = Work out the { $blanks } blanks { $first } to { $last }, in this order, with { $digits } significant digits. Each is worth one point; where a blank needs an earlier one, an early mistake costs its own point only.
worksheet-given = Given
worksheet-loss = Loss
worksheet-optimizer = Optimizer
worksheet-download = Download my answers
worksheet-notebook = Write a number after each `=`, or let Python work it out, and run all cells before handing the notebook in.
worksheet-backward = Derivative
worksheet-forward = Forward: layer { $layer }
worksheet-update = Update
worksheet-forward-hidden = Forward: hidden layer
worksheet-forward-output = Forward: output layer
worksheet-key = Answers
worksheet-drawing = The network with its numbers

# Making worksheets

worksheet-network = the network { $sizes } does not fit a worksheet
    .mend = give 2 to 4 widths with dashes between them such as 2-2-2: at most { $layers } layers, of at most { $units } units
worksheet-classes = the loss tells classes apart, and the network { $sizes } has one output
    .mend = give two outputs or more, such as 2-3-2, or another loss
worksheet-activations = “{ $names }” does not name one activation for all { $layers } layers, nor one for each
    .mend = give one, or { $layers } with commas between them
worksheet-unmet = no good numbers were found in { $tries } tries for student { $student }: units saturate or die, or derivatives vanish
    .mend = give another seed, fewer layers, another activation, or other weights with --wrt
worksheet-large = this network is too large to be worked out on paper: { $count } is more than { $most } weights or steps
    .mend = train a small one, such as `trasluz train DATA --hidden 3`, on a table of few columns
worksheet-many-rows = a sheet is made of each row, and { $count } rows are more than { $most }
    .mend = name some of them with --rows, such as --rows 3,5
worksheet-no-weights = no layer of the model has a kernel to be derived
    .mend = say what to derive with --wrt, such as --wrt 'dense/kernel[0, 0]'
worksheet-wrt = this is not a weight of the network
    .mend = { $nearest }
worksheet-blanks = { $blanks } blanks are asked for, and there are { $steps } steps to leave blank
    .mend = give --blanks from 1 to { $steps }, or more --stages
worksheet-format = “{ $form }” is not a format of worksheets
    .mend = give one of { $forms }
worksheet-missing = there is no such worksheet
    .mend = give the .json file of a sheet, or its page with that file beside it
worksheet-not-one = this is not a worksheet of this version
    .mend = give the .json file that was written beside the sheet
worksheet-changed = this worksheet was changed since it was made
    .mend = use the file as `trasluz worksheet` wrote it
worksheet-none = there are no worksheets here
    .mend = give the folder that `trasluz worksheet --out` wrote
worksheet-two-sources = --model and --example both say what the sheets are made of
    .mend = give one of them, or neither
worksheet-no-data = --model needs --data, a table with rows for it
    .mend = give --data TABLE, and --rows if not all of them are meant
worksheet-example-unknown = there is no worksheet of the example “{ $name }”
    .mend = { $nearest }
worksheet-stage-unknown = there is no stage “{ $name }”
    .mend = { $nearest }
worksheet-sizes-wrong = “{ $value }” is not a network such as 2-2-2
    .mend = give whole numbers with dashes between them
worksheet-unknown = there is no { $kind ->
        [loss] loss
        [optimizer] optimizer
       *[other] activation
    } “{ $name }”
    .mend = { $nearest }
worksheet-fit = the loss { $loss } means nothing after the activation { $activation } of the last layer
    .mend = end with { $fits }, or give one activation for all and a fitting one is taken for the last layer; or give another loss
worksheet-apart = { $names } would change nothing: with { $other } the sheets are made of something else
    .mend = leave out { $names }, or { $other }
worksheet-no-model = { $names } are about a table, and there is no --model that sees its rows
    .mend = give --model MODEL and --data TABLE, too
worksheet-saturated = some sums of { $sheets } are beyond ±2.5, where the activation is flat: derivatives behind them are small
worksheet-flat = { $step } is 0, or nearly, on { $sheets }: there is little to work out; --wrt asks for other weights
worksheets-removed = removed what earlier sheets left in the folder: { $names }
worksheets-written =
    { $sheets ->
        [one] { $sheets } worksheet
       *[other] { $sheets } worksheets
    } written to { $folder }; the answers are in { $key }

# Reading answers

answers-missing = there is no such file of answers
    .mend = give the page, notebook, CSV or JSON file with a student's answers
answers-ending = this ending does not say how the answers are written
    .mend = give a file that ends in { $endings }
answers-broken = the file cannot be read
    .mend = save it again, in UTF-8
answers-json = the file is not the JSON or the notebook that it says it is
    .mend = save or download it again
answers-twice = { $sheet } was answered more than once: { $names }
    .mend = keep the answers that are meant
answers-none = there are no answers in it
    .mend = write them as lines such as q1 = 0.41
answers-table = this is not a table of a class
    .mend = give a CSV file with the columns sheet, q1, q2, … and a row for each student; answers.csv of the teacher's folder is one
answers-other-sheet = these answers are for sheet { $other }, not for { $sheet }
    .mend = give the answers and the sheet of the same student
answers-foreign = the sheet has no blanks { $names }; it has { $blanks }
    .mend = give the answers to this sheet
answers-unplaced = no sheet was found for { $names }
    .mend = name files and rows like the sheets: sheet-07

# Marks

marks-title = Marks of { $name }
marks-blank = blank
marks-step = step
marks-given = given
marks-right = right
marks-expected = from the student's own values
marks-verdict = verdict
marks-score = Score: { $score } of { $points }
marks-first = The first mistake is in { $blank }, { $step }: { $given } was given, { $expected } is right.
marks-class = Marks of the class
marks-student = sheet
marks-points = score
marks-first-wrong = first mistake
marks-problems =
    { $count ->
        [one] One thing was not as it should be:
       *[other] { $count } things were not as they should be:
    }
marks-missed = Most often wrong: { $step } (in { $count ->
        [one] { $count } sheet
       *[other] { $count } sheets
    })
verdict-right = right
verdict-followed = right given an earlier mistake
verdict-wrong = wrong
verdict-missing = missing
verdict-unreadable = not a number
