# Muchos entrenamientos: trasluz sweep

curve-loss = pérdida
curve-band = ± desviación entre { $seeds } semillas
curve-cross = deja de ser finita
curve-best = mejor
curve-diverged = divergen { $lost } de { $all }

search-extra = una búsqueda necesita Optuna, que no está instalado
    .mend = instálalo: pip install 'trasluz[search]'
search-trials = el número de ensayos es { $trials }
    .mend = da un número entero desde 1
search-space = { $given } no dice qué se puede elegir
    .mend = da una lista de valores, o una distribución como optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True)
search-one-model = una búsqueda es para un modelo, y cada ensayo tiene su propia semilla
    .mend = da un modelo o una función, y quita "seed" del espacio
search-foreign = hay un estudio con este nombre, y no es una búsqueda de estas
    .mend = da otro nombre al estudio
search-differs = el estudio empezó con { $setting } { $was }, y ahora es { $now }
    .mend = da los mismos ajustes y datos, o da otro nombre al estudio
search-none = ningún ensayo ha llegado a su fin
    .mend = deja que siga, o baja las tasas de aprendizaje
storage-driver = no hay controlador para este almacén ({ $reason })
    .mend = instálalo; para PostgreSQL: pip install 'trasluz[postgresql]', y empieza la dirección con postgresql+psycopg://
storage-wrong = esto no es la dirección de un almacén
    .mend = da una como sqlite:///study.db o postgresql+psycopg://usuario@servidor/nombre
storage-lost = el almacén no responde ({ $reason })
    .mend = comprueba que la base de datos está en marcha y que la dirección, el usuario y la contraseña son correctos

command-sweep = Entrena redes con DATA y muchos ajustes. Cada tasa de aprendizaje con cada tamaño de lote (y cada valor de las demás opciones que tengan varios), a la vez, con una figura de sus pérdidas; o, con --trials, en busca de lo mejor. Los resultados, la figura y el mejor modelo se escriben en una carpeta.
option-learning-rates = Tasas de aprendizaje, separadas por comas; con --trials, también desde..hasta. [por defecto: 0.001,0.01,0.1; con --trials: 1e-4..1e-1]
option-batch-sizes = Tamaños de lote, del mismo modo. [por defecto: 16,32,64]
option-seeds = Cuántos entrenamientos con los mismos ajustes, cada uno con sus propios pesos iniciales.
option-trials = Busca: cuántos entrenamientos al final, entre todos los que trabajan en el estudio. Las opciones admiten también intervalos (0..0.5); la misma orden otra vez sigue adelante.
option-storage = Dónde se guarda el estudio: la URL de una base de datos en la que otros trabajan también; por defecto, un archivo en la carpeta.
option-study = Nombre del estudio; por defecto, los de la tabla y el objetivo.
option-trial-patience = Con --trials: para un entrenamiento tras tantas épocas sin progreso, y se queda con sus mejores pesos; 0 no para nunca. [por defecto: 20]
option-heartbeat = Con --trials: segundos entre señales de vida; el ensayo de un proceso que no las da durante el doble se intenta de nuevo.
span-wrong = «{ $value }» no es un intervalo como 1e-4..1e-1
span-order = el intervalo «{ $value }» acaba antes de empezar
span-zero = el intervalo «{ $value }» se recorre por potencias de diez, y tiene que empezar por encima de 0
sweep-span = --{ $option } tiene un intervalo, y solo una búsqueda elige de intervalos
    .mend = da valores separados por comas, o --trials
sweep-needs-trials = --{ $option } es para una búsqueda
    .mend = añade --trials, o quítalo
sweep-seeds-and-trials = una búsqueda da a cada ensayo su propia semilla
    .mend = quita --seeds o --trials
sweep-many = { $trainings } entrenamientos son demasiados para un barrido
    .mend = da menos valores o semillas (como mucho { $most } entrenamientos), o busca con --trials
sweep-diverged = ningún entrenamiento ha acabado con números finitos
    .mend = da tasas de aprendizaje más bajas
search-nothing = cada ajuste tiene un solo valor: no hay nada que elegir
    .mend = da un intervalo o varios valores, como --learning-rates 1e-4..1e-1
sweep-begins =
    { $trainings ->
        [one] { $trainings } entrenamiento
       *[other] { $trainings } entrenamientos
    }: { $settings ->
        [one] { $settings } combinación de ajustes
       *[other] { $settings } combinaciones de ajustes
    }, { $seeds ->
        [one] { $seeds } semilla
       *[other] { $seeds } semillas
    }
sweep-title =
    Resultados tras { $epochs ->
        [one] { $epochs } época
       *[other] { $epochs } épocas
    }, primero lo mejor{ $seeds ->
        [one] {""}
       *[other] {" "}(media ± desviación entre { $seeds } semillas)
    }
sweep-lost = divergen
sweep-more = { $more } más en { $file }
sweep-best = Lo mejor: { $settings }, semilla { $seed }
sweep-written = Escrito en { $folder }: la figura (sweep.png), resultados y curvas (CSV), el informe y el mejor modelo
sweep-interrupted = Interrumpido; lo alcanzado hasta ahora está en { $folder }.
setting-learning-rate = tasa de aprendizaje
setting-batch-size = tamaño de lote
setting-hidden = capas ocultas
setting-activation = activación
setting-optimizer = optimizador
setting-dropout = dropout
setting-l1 = l1
setting-l2 = l2
curve-best-so-far = mejor hasta ahora
curve-trial = ensayo
curve-given-up = abandonados ({ $trials })
progress-trials = Ensayos
search-best-so-far = mejor { $value } (ensayo { $trial })
search-waiting =
    a la espera de { $trials ->
        [one] { $trials } ensayo
       *[other] { $trials } ensayos
    } de otros
search-title = Los mejores ensayos
search-trial = ensayo
search-count = { $complete } hasta el final, { $pruned } abandonados, { $diverged } divergentes, { $lost } perdidos
search-written = Escrito en { $folder }: la figura (sweep.png), los ensayos (CSV), el informe y el mejor modelo, entrenado de nuevo
search-interrupted = Interrumpido; el estudio guarda { $done } de { $trials } ensayos. La misma orden sigue adelante.
curve-share = %: peso en lo buenos que son los ensayos
