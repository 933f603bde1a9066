# Reading a table

table-encoding = encoding found: { $encoding }
table-delimiter = delimiter found: “{ $delimiter }”

table-missing = there is no such file
    .mend = check the path
table-neither = neither a file nor a dataset; { $nearest }
    .mend = check the path, or see `trasluz datasets`
table-folder = this is a folder
    .mend = give a CSV, TSV or Parquet file
table-unreadable = the file cannot be read ({ $reason })
    .mend = check the permissions of the file
table-empty = the file is empty
    .mend = give a table with a line of column names and some rows
table-no-rows = the table has column names but no rows
    .mend = give a table with some rows
table-format = this is a file of { $format }, not a table
    .mend = export it as CSV or Parquet
table-binary = this is a binary file, not a table
    .mend = give a CSV, TSV or Parquet file, or say its --encoding
table-parquet = the Parquet file cannot be read ({ $reason })
    .mend = the file may be cut short: make it again
table-unknown-encoding = unknown encoding “{ $encoding }”
    .mend = leave --encoding out to have it found, or try utf-8, cp1252 or utf-16
table-encoding-fails = line { $line } is not text in the encoding { $encoding }
    .mend = leave --encoding out to have it found, or try utf-8, cp1252 or utf-16
table-delimiter-length = “{ $delimiter }” cannot be a delimiter
    .mend = a delimiter is one character, such as , or ;
table-wrong-delimiter = the delimiter “{ $given }” leaves a single column; the table seems to use “{ $likely }”
    .mend = leave --delimiter out, or give --delimiter "{ $likely }"
table-ragged =
    line { $line } has { $found ->
        [one] { $found } cell
       *[other] { $found } cells
    } where the first line has { $expected }
    .mend = give every line as many cells as there are column names, and quote cells that hold the delimiter
table-quotes = line { $line } has quotes that do not match ({ $reason })
    .mend = close the quotes, and double a quote inside a quoted cell
table-long-cell = line { $line } has a cell of more than { $most } characters
    .mend = if that is a quote that was not closed, close it; else leave that column out
table-duplicate = the columns { $first } and { $second } have the same name, “{ $column }”
    .mend = rename one of them
table-lacks-column = there is no column “{ $column }”, which the model reads; { $nearest }
    .mend = give a table with the columns of the training
table-lacks-target = there is no column “{ $column }”, which predictions are compared with; { $nearest }
    .mend = give a table that has it, or use `trasluz predict`, which does not need it
table-few-rows =
    { $rows ->
        [one] { $rows } row is
       *[other] { $rows } rows are
    } too few
    .mend = give at least { $needed } rows, or leave parts out with --validation 0 --test 0
table-no-features = no column is left to learn from{ $reasons }
    .mend = give columns that vary; if the table has one column only, check its delimiter

# Targets and columns

target-not-given = no target was given; the columns are { $columns }
    .mend = say which to predict with --target COLUMN
target-unknown = there is no column “{ $column }” to predict; { $nearest }
    .mend = give the name of a column
target-twice = the target “{ $column }” is given twice
    .mend = give it once
target-all-missing = no row has a value in the target “{ $column }”
    .mend = fill the column in, or choose another
target-rows-missing =
    { $rows ->
        [one] { $rows } row
       *[other] { $rows } rows
    } without “{ $column }” left out
target-one-class = the target “{ $column }” is “{ $value }” in every row
    .mend = give rows in which it varies: of two classes, or of different numbers
target-constant = the target “{ $column }” is { $value } in every row
    .mend = give rows in which it varies
target-text = row { $row } of the numeric target “{ $column }” holds “{ $value }”
    .mend = correct the cell, or say that it is a class with --task multi-class
target-text-among-several = row { $row } of the target “{ $column }” holds “{ $value }”, and several targets can only be predicted as numbers
    .mend = correct the cell, or, if the column is text, leave it out or give it as the only target
target-too-many-classes = the target “{ $column }” has { $classes } classes in { $rows } rows: there is nothing to learn a class from
    .mend = choose another target, or, if it holds numbers, give --task regression
target-not-binary = the target “{ $column }” has { $classes } different values, not two
    .mend = leave --task out to have it found out
target-several-classes = several targets can only be predicted as numbers, not as { $task }
    .mend = give one target, or leave --task out
target-new-class = row { $row } of “{ $column }” holds “{ $value }”, which the training never met; { $nearest }
    .mend = correct the cell, or train again with rows of that class
column-infinite = row { $row } of the column “{ $column }” holds { $value }
    .mend = give a finite number below 1e150, or leave the cell empty
column-far = row { $row } of the column “{ $column }” holds { $value }, immensely far from the rows of the training
    .mend = correct the cell, or leave it empty
column-few-words =
    “{ $column }” holds { $kind ->
        [boolean] truth values
       *[number] numbers
    }, but { $cells ->
        [one] { $cells } cell is not one (“{ $value }” in row { $row }): taken as missing
       *[other] { $cells } cells are not (the first: “{ $value }” in row { $row }): taken as missing
    }
column-unreadable =
    the model reads “{ $column }” as { $kind ->
        [boolean] true or false
       *[number] numbers
    }, and no cell of it can be read so (the first: “{ $value }” in row { $row })
    .mend = { $kind ->
        [boolean] write true or false
       *[number] write numbers with a decimal point and no unit
    }, or leave the cells empty
column-unused = “{ $column }” is not used: { $reason }
column-constant = “{ $column }” is not used: it never changes in the training part
reason-empty = it has no values
reason-type = its type is { $type }
reason-identifier = nearly every row has its own text, like an identifier
reason-row-number = it numbers the rows

# Parts and preparations

split-shares = validation { $validation } and test { $test } leave nothing to train on
    .mend = give shares from 0 to 1 whose sum is below 1
split-not-stratified = some classes have too few rows to keep their share in every part
preparation-missing = the model was not trained on a table, so it cannot read one
    .mend = use a model made by `trasluz train`
preparation-wrong = the file's preparation of tables holds what trasluz never writes ({ $reason })
    .mend = do not trust this file: use an intact copy, or train again
preparation-newer = the model's preparation was written by a newer version
    .mend = update trasluz

# Names

suggest-nearest = did you mean “{ $name }”?
suggest-known = known: { $names }
suggest-columns = the columns are { $names }
network-deep = a network of { $layers } layers is too deep
    .mend = give at most { $most } widths to --hidden
network-large = the network would hold { $weights } weights
    .mend = give fewer units to --hidden: { $most } weights are the most here; the environment variable TRASLUZ_MOST_NUMBERS raises the bound
table-name = a column is called “{ $column }”, which reads as a pattern
    .mend = rename it: without ^ at its beginning or $ at its end
