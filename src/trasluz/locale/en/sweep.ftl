# Many trainings: trasluz sweep

curve-loss = loss
curve-band = ± deviation over { $seeds } seeds
curve-cross = not finite any more
curve-best = best
curve-diverged = diverged: { $lost } of { $all }

search-extra = a search needs Optuna, which is not installed
    .mend = install it: pip install 'trasluz[search]'
search-trials = the number of trials is { $trials }
    .mend = give a whole number from 1
search-space = { $given } does not say what can be chosen
    .mend = give a list of values, or a distribution such as optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True)
search-one-model = a search is for one model, and each trial has a seed of its own
    .mend = give one model or function, and leave "seed" out of the space
search-foreign = there is a study of this name, and it is not such a search
    .mend = give the study another name
search-differs = the study was begun with { $setting } { $was }, and now it is { $now }
    .mend = give the same settings and data, or give the study another name
search-none = no trial has come to an end
    .mend = let it go on, or lower the learning rates
storage-driver = there is no driver for this storage ({ $reason })
    .mend = install it; for PostgreSQL: pip install 'trasluz[postgresql]', and begin the address with postgresql+psycopg://
storage-wrong = this is not the address of a storage
    .mend = give one such as sqlite:///study.db or postgresql+psycopg://user@host/name
storage-lost = the storage does not answer ({ $reason })
    .mend = check that the database is running and that address, user and password are right

command-sweep = Train networks on DATA with many settings. Every learning rate with every batch size (and every value of other options that have several), side by side, with a figure of their losses; or, with --trials, in search of the best. The results, the figure and the best model are written to a folder.
option-learning-rates = Learning rates, with commas between them; with --trials also from..to. [default: 0.001,0.01,0.1; with --trials: 1e-4..1e-1]
option-batch-sizes = Batch sizes, likewise. [default: 16,32,64]
option-seeds = How many trainings with the same settings, each from initial weights of its own.
option-trials = Search: how many trainings in the end, by all who work on the study. Options take ranges (0..0.5) too; the same command again goes on.
option-storage = Where the study is kept: the URL of a database that others work on too; by default a file in the folder.
option-study = Name of the study; by default those of table and target.
option-trial-patience = With --trials: stop a training after so many epochs without progress, and keep its best weights; 0 never stops. [default: 20]
option-heartbeat = With --trials: seconds between signs of life; the trial of a process that gives none for twice as long is tried again.
span-wrong = “{ $value }” is not a range such as 1e-4..1e-1
span-order = the range “{ $value }” ends before it begins
span-zero = the range “{ $value }” is searched by powers of ten, and has to begin above 0
sweep-span = --{ $option } has a range, and only a search chooses from ranges
    .mend = give values with commas between them, or --trials
sweep-needs-trials = --{ $option } is for a search
    .mend = add --trials, or leave it out
sweep-seeds-and-trials = a search gives each trial a seed of its own
    .mend = leave out --seeds or --trials
sweep-many = { $trainings } trainings are too many for one sweep
    .mend = give fewer values or seeds ({ $most } trainings are the most), or search with --trials
sweep-diverged = no training came to an end with finite numbers
    .mend = give lower learning rates
search-nothing = every setting has one value: there is nothing to choose
    .mend = give a range or several values, such as --learning-rates 1e-4..1e-1
sweep-begins =
    { $trainings ->
        [one] { $trainings } training
       *[other] { $trainings } trainings
    }: { $settings ->
        [one] { $settings } setting
       *[other] { $settings } settings
    }, { $seeds ->
        [one] { $seeds } seed
       *[other] { $seeds } seeds
    }
sweep-title =
    Results after { $epochs ->
        [one] { $epochs } epoch
       *[other] { $epochs } epochs
    }, the best first{ $seeds ->
        [one] {""}
       *[other] {" "}(mean ± deviation over { $seeds } seeds)
    }
sweep-lost = diverged
sweep-more = { $more } more in { $file }
sweep-best = The best: { $settings }, seed { $seed }
sweep-written = Written to { $folder }: the figure (sweep.png), results and curves (CSV), the report, and the best model
sweep-interrupted = Interrupted; what was reached so far is in { $folder }.
setting-learning-rate = learning rate
setting-batch-size = batch size
setting-hidden = hidden
setting-activation = activation
setting-optimizer = optimizer
setting-dropout = dropout
setting-l1 = l1
setting-l2 = l2
curve-best-so-far = best so far
curve-trial = trial
curve-given-up = given up ({ $trials })
progress-trials = Trials
search-best-so-far = best { $value } (trial { $trial })
search-waiting =
    waiting for { $trials ->
        [one] { $trials } trial
       *[other] { $trials } trials
    } of others
search-title = The best trials
search-trial = trial
search-count = { $complete } to the end, { $pruned } given up early, { $diverged } diverged, { $lost } lost
search-written = Written to { $folder }: the figure (sweep.png), the trials (CSV), the report, and the best model, trained again
search-interrupted = Interrupted; the study keeps { $done } of { $trials } trials. The same command goes on.
curve-share = %: part in how good trials are
