# The frame of the command line

command-trasluz = Train neural networks on tables, and see how good they are.
command-train = Train a network on DATA: a CSV, TSV or Parquet file, or the name of a dataset. The task is found out from the target. The model, its metrics and the learning curve are written to a folder.
command-evaluate = Measure MODEL (a file, or the folder of a training) on a table DATA that has the targets.
command-predict = Predict the rows of DATA with MODEL (a file, or the folder of a training).
command-summary = Show the layers of MODEL, what it reads and what it predicts.
command-datasets = List the tables that come along.
command-example = Work out the example NAME step by step, or list the examples.
command-explain = Derive, step by step, the derivative of the loss in one number of MODEL on rows of DATA.
examples = Examples

option-lang = Language of the messages.
option-json-too = Print one JSON document, and nothing else, on standard output.
option-quiet = Print errors only.
option-target = The column to predict; several, of numbers, with commas between them.
option-task = What the target is, where it should not be found out.
option-delimiter = The character between cells, where it should not be found out.
option-encoding = The encoding of the text, where it should not be found out.
option-hidden = Units of the hidden layers; "" for none.
option-activation = Activation of the hidden layers.
option-optimizer = What moves the weights: adam, adamw, sgd, rmsprop …
option-learning-rate = Size of its steps; the optimizer's own unless given.
option-clipnorm = Shortens the gradient of each layer's weights to this norm where it is longer.
option-batch-size = Rows that each step looks at.
option-epochs = Passes over the training part, at most.
option-dropout = Share of hidden units silenced at each step.
option-batch-norm = Normalise each hidden layer over the batch.
option-l1 = Weight of the sum of the weights' absolute values in the loss.
option-l2 = Weight of the sum of the weights' squares in the loss.
option-label-smoothing = Share of certainty given to all classes alike.
option-validation = Share of the rows used to watch the training.
option-test = Share of the rows kept for the last metrics.
option-patience = Stop after so many epochs without progress, and keep the best weights; 0 never stops.
option-seed = Seed of the split, the initial weights and the order of the rows.
option-engine = What computes; auto compiles with XLA where that is worth it.
option-deterministic = Add up in one order, however many cores there are: the same bits everywhere, slower for large networks.
option-devices = How many devices to split each batch among: a number, or all.
option-distributed = Train together with other processes or hosts: start the same command in each, with the environment that says which is which (see docs/devices.md).
option-out = Where to write.
option-plot = Also draw its picture, as a PNG file.
option-resume = Go on from the checkpoint of an interrupted training with the same settings.
option-row = Number of the row, from 1; several with commas between them.
option-wrt = What for: a weight's path and entry, such as 'dense/kernel[0, 3]'; a layer's output 'dense[3]' or sum 'dense/sum[3]'; an input 'x[0]'. Without an entry: the matrix form.
option-training = Explain the step as in training: dropout, batch statistics.
option-depth = What gets a line of its own: what layers give, or every operation.
option-names = How things are named: as in books, as in the course (w5, n1), or by Keras's paths.
option-digits = Significant digits in print.
option-update = Go on to the weight's new value.
option-form = How the page is written; by default as the name of the file says, else text.
number-wrong = “{ $value }” is not a finite number
devices-wrong = “{ $value }” is neither a number from 1 nor “all”
widths-wrong = “{ $value }” is not a list of whole numbers above 0 such as 32,16

error = Error
error-mend = To mend it
usage-mend = see `{ $command } --help`
memory-short = not enough memory for this
    .mend = give a smaller network, smaller batches or a smaller table
output-full = standard output cannot take any more: its disk is full
    .mend = make room, or write elsewhere
interrupted = Interrupted.
interrupted-saved = Interrupted; the training so far is saved. To go on:
settings-damaged = the settings of the interrupted run cannot be read
    .mend = use an intact copy of the folder, or start again without --resume
kept-finite = in { $file }
system-refuses = the system refuses this: { $reason }
    .mend = give another path, or mend that one
defect = this is a defect of Trasluz, not of what you gave ({ $what })
    .mend = please report it with { $file }, where the trace was written

# Training

task-regression = regression
task-binary = binary classification
task-multi-class = multi-class classification
part-train = train
part-validation = validation
part-test = test
part-all = all rows
introduce-task =
    Predicting { $targets }: { $task }, from { $columns ->
        [one] { $columns } column
       *[other] { $columns } columns
    } ({ $inputs ->
        [one] { $inputs } input
       *[other] { $inputs } inputs
    })
introduce-classes = Classes: { $classes }
progress-epochs = Epochs
progress-rate = { $rate }/s
stopped-early = Stopped after { $epochs } epochs: no progress in the last { $patience }; the weights of epoch { $best } are kept
smoothing-of-numbers = label smoothing is for classes, and the target is a number
    .mend = leave --label-smoothing out
devices-numpy = the engine “numpy” computes on one device, and several were asked for
    .mend = leave --devices and --distributed out, or use --engine xla
process-lost = { $number ->
    [-1] one of { $total } processes is gone
   *[other] process { $number } of { $total } is gone
}{ $epoch ->
    [0] {""}
   *[other] { " " }(in epoch { $epoch })
}
    .mend = see what it said itself, and start all of them again: { $command }
resume-nothing = there is no interrupted training here
    .mend = leave --resume out, or give the folder of one with --out
folder-busy = another training is running in this folder
    .mend = wait for it, or give another folder with --out
resume-fewer =
    the training has { $done ->
        [one] { $done } epoch
       *[other] { $done } epochs
    } behind it, and --epochs asks for { $epochs }
    .mend = give --epochs { $done } or more, or start again without --resume
machine-differs = The checkpoint was written with { $before } cores and threads, and there are { $now } now: last digits may become others than they would have been. With --deterministic (in Python set_random_seed(…, deterministic=True)) they are the same everywhere.
file-odd = a pipe or a device, and no file
    .mend = give a regular file
file-large = the file has { $size } MiB, and more than { $most } are too many here
    .mend = give the file that is meant, or a part of it
resume-rows = the rows of { $data } are not those of the interrupted training
    .mend = give the same file, or start again without --resume
folder-gone = the folder was removed or replaced while the training ran
    .mend = start again, and leave the folder alone meanwhile
resume-differs = the interrupted training had { $option } { $was }, and now it is { $now }
    .mend = give the same settings, or start again without --resume
metrics-title = Metrics
metrics-metric = metric
confusion-title = Confusion matrix ({ $part })
confusion-corner = truth ↓ predicted →
residuals-title = Residuals, truth minus prediction ({ $part })
residuals-target = target
samples-predicted = { $target }, predicted
samples-probability = probability
samples-title = Some predictions ({ $part })
written = Written to { $folder }: the model, its metrics, and the learning curve (PNG and CSV)
what-next = What to try next
what-next-rows = { $data } includes the rows of the training: give new rows to see how good the model is on them
curve-epoch = epoch

# Other commands

predicted =
    { $rows ->
        [one] { $rows } row
       *[other] { $rows } rows
    } with predictions written to { $file }
row-unlabelled = row { $row } has no target
    .mend = choose a row whose targets are there
rows-wrong = “{ $value }” is not a row or several with commas, such as 17 or 3,5
row-unknown = there is no row { $row }; the table has { $rows }
    .mend = count from 1, without the header
explained-to = The derivation is in { $file }.
pdf-to-terminal = a PDF is not for a terminal
    .mend = give a file: --out page.pdf
format-unknown = the name of the file does not say how it is to be written
    .mend = end it in one of { $endings }, or give --format
entry-wrong = “{ $wrt }” does not say which entry of which weight
    .mend = give a path and an entry, such as 'dense/kernel[0, 3]'
out-is-model = this is the file of the model
    .mend = give another file with --out
out-is-data = this is the file of the data
    .mend = give another file with --out
out-ending = “{ $ending }” does not say a format that is written
    .mend = give --out a name that ends in .csv, .tsv or .parquet
summary-reads = Reads: { $columns }
summary-predicts = Predicts: { $targets } ({ $task })
dataset-facts = { $rows } rows, { $columns } columns; target { $targets } ({ $task })
datasets-next = To train on one: trasluz train NAME

dataset-penguins = size and species of penguins of Antarctica; missing values and text columns
dataset-iris = petals and sepals of three irises (Fisher)
dataset-wine = chemistry of wines of three cultivars
dataset-breast-cancer = shape of cell nuclei, benign or malignant (Wisconsin)
dataset-digits = hand-written digits, 8 by 8 pixels
dataset-diabetes = progression of diabetes one year later
dataset-linnerud = exercises and bodies of twenty men: three targets
