# El marco de la línea de órdenes

command-trasluz = Entrena redes neuronales con tablas y muestra su calidad.
command-train = Entrena una red con DATA: un archivo CSV, TSV o Parquet, o el nombre de un conjunto de datos. La tarea se averigua por el objetivo. El modelo, sus métricas y la curva de aprendizaje se escriben en una carpeta.
command-evaluate = Mide MODEL (un archivo, o la carpeta de un entrenamiento) con una tabla DATA que tenga los objetivos.
command-predict = Predice las filas de DATA con MODEL (un archivo, o la carpeta de un entrenamiento).
command-summary = Muestra las capas de MODEL, qué lee y qué predice.
command-datasets = Lista las tablas que vienen incluidas.
command-example = Resuelve el ejemplo NAME paso a paso, o enumera los ejemplos.
command-explain = Deriva, paso a paso, la derivada de la pérdida respecto a un número de MODEL en filas de DATA.
examples = Ejemplos

option-lang = Idioma de los mensajes.
option-json-too = Escribe un documento JSON, y nada más, en la salida estándar.
option-quiet = Escribe solo los errores.
option-target = La columna que predecir; si son varias, de números, separadas por comas.
option-task = Qué es el objetivo, si no se quiere que se averigüe.
option-delimiter = El carácter entre celdas, si no se quiere que se averigüe.
option-encoding = La codificación del texto, si no se quiere que se averigüe.
option-hidden = Unidades de las capas ocultas; "" para ninguna.
option-activation = Activación de las capas ocultas.
option-optimizer = El método que ajusta los pesos: adam, adamw, sgd, rmsprop …
option-learning-rate = Tamaño de sus pasos; el propio del optimizador si no se da.
option-clipnorm = Acorta el gradiente de los pesos de cada capa a esta norma cuando es más largo.
option-batch-size = Filas que mira cada paso.
option-epochs = Pasadas sobre la parte de entrenamiento, como mucho.
option-dropout = Proporción de unidades ocultas que se apagan en cada paso.
option-batch-norm = Normaliza cada capa oculta sobre el lote.
option-l1 = Peso en la pérdida de la suma de los valores absolutos de los pesos.
option-l2 = Peso en la pérdida de la suma de los cuadrados de los pesos.
option-label-smoothing = Proporción de la certeza que se reparte entre todas las clases.
option-validation = Proporción de filas con las que se vigila el entrenamiento.
option-test = Proporción de filas que se reserva para las últimas métricas.
option-patience = Para tras tantas épocas sin progreso, y se queda con los mejores pesos; 0 no para nunca.
option-seed = Semilla de la división, de los pesos iniciales y del orden de las filas.
option-engine = Quién calcula; auto compila con XLA cuando merece la pena.
option-deterministic = Sumar en un solo orden, haya los núcleos que haya: los mismos bits en todas partes, más lento con redes grandes.
option-devices = Entre cuántos dispositivos repartir cada lote: un número, o all (todos).
option-distributed = Entrena junto con otros procesos o máquinas: lanza la misma orden en cada uno, con el entorno que dice cuál es cuál (ver docs/devices.md).
option-out = Dónde escribir.
option-plot = Dibuja además su imagen, en un archivo PNG.
option-resume = Sigue desde el punto guardado de un entrenamiento interrumpido con los mismos ajustes.
option-row = Número de la fila, desde 1; varias, separadas por comas.
option-wrt = Respecto a qué: la ruta y la entrada de un peso, como 'dense/kernel[0, 3]'; la salida de una capa 'dense[3]' o su suma 'dense/sum[3]'; una entrada de la red 'x[0]'. Sin índice: la forma matricial.
option-training = Explica el paso como en el entrenamiento: dropout, estadísticas del lote.
option-depth = Qué recibe una línea propia: lo que dan las capas o cada operación.
option-names = Cómo se nombran las cosas: como en los libros, como en el curso (w5, n1) o con las rutas de Keras.
option-digits = Cifras significativas al escribir.
option-update = Sigue hasta el nuevo valor del peso.
option-form = Cómo se escribe la página; si no se dice, como indica el nombre del archivo, y si no, texto.
number-wrong = «{ $value }» no es un número finito
devices-wrong = «{ $value }» no es ni un número desde 1 ni «all»
widths-wrong = «{ $value }» no es una lista de números enteros mayores que 0 como 32,16

error = Error
error-mend = Para arreglarlo
usage-mend = mira `{ $command } --help`
memory-short = no hay memoria suficiente
    .mend = da una red, unos lotes o una tabla más pequeños
output-full = la salida estándar no admite más: su disco está lleno
    .mend = haz sitio, o escribe en otro lugar
interrupted = Interrumpido.
interrupted-saved = Interrumpido; lo entrenado hasta ahora está guardado. Para seguir:
settings-damaged = no se pueden leer los ajustes del entrenamiento interrumpido
    .mend = usa una copia intacta de la carpeta, o empieza de nuevo sin --resume
kept-finite = en { $file }
system-refuses = el sistema no lo admite: { $reason }
    .mend = da otra ruta, o arregla esa
defect = es un defecto de Trasluz, no de lo que has dado ({ $what })
    .mend = por favor, infórmanos con { $file }, donde queda escrita la traza

# Entrenar

task-regression = regresión
task-binary = clasificación binaria
task-multi-class = clasificación en varias clases
part-train = entrenamiento
part-validation = validación
part-test = prueba
part-all = todas las filas
introduce-task =
    Se predice { $targets }: { $task }, a partir de { $columns ->
        [one] { $columns } columna
       *[other] { $columns } columnas
    } ({ $inputs ->
        [one] { $inputs } entrada
       *[other] { $inputs } entradas
    })
introduce-classes = Clases: { $classes }
progress-epochs = Épocas
progress-rate = { $rate }/s
stopped-early = Detenido tras { $epochs } épocas: sin progreso en las últimas { $patience }; quedan los pesos de la época { $best }
smoothing-of-numbers = el suavizado de etiquetas es para clases, y el objetivo es un número
    .mend = quita --label-smoothing
devices-numpy = el motor «numpy» calcula en un solo dispositivo, y se han pedido varios
    .mend = quita --devices y --distributed, o usa --engine xla
process-lost = { $number ->
    [-1] ya no está uno de los { $total } procesos
   *[other] ya no está el proceso { $number } de { $total }
}{ $epoch ->
    [0] {""}
   *[other] { " " }(época { $epoch })
}
    .mend = mira lo que dijo él mismo, y vuelve a lanzarlos todos: { $command }
resume-nothing = aquí no hay un entrenamiento interrumpido
    .mend = quita --resume, o da la carpeta de uno con --out
folder-busy = otro entrenamiento está en marcha en esta carpeta
    .mend = espera a que termine, o da otra carpeta con --out
resume-fewer =
    el entrenamiento ya lleva { $done ->
        [one] { $done } época
       *[other] { $done } épocas
    }, y con --epochs se piden { $epochs }
    .mend = da --epochs { $done } o más, o empieza de nuevo sin --resume
machine-differs = El punto de control se escribió con { $before } núcleos e hilos, y ahora hay { $now }: las últimas cifras pueden ser otras que las que habrían sido. Con --deterministic (en Python set_random_seed(…, deterministic=True)) son las mismas en todas partes.
file-odd = es una tubería o un dispositivo, no un archivo
    .mend = da un archivo normal
file-large = el archivo ocupa { $size } MiB, y aquí más de { $most } son demasiados
    .mend = da el archivo que quieres, o una parte de él
resume-rows = las filas de { $data } no son las del entrenamiento interrumpido
    .mend = da el mismo archivo, o empieza de nuevo sin --resume
folder-gone = la carpeta se borró o se reemplazó durante el entrenamiento
    .mend = empieza de nuevo, y deja la carpeta en paz mientras tanto
resume-differs = el entrenamiento interrumpido tenía { $option } { $was }, y ahora es { $now }
    .mend = da los mismos ajustes, o empieza de nuevo sin --resume
metrics-title = Métricas
metrics-metric = métrica
confusion-title = Matriz de confusión ({ $part })
confusion-corner = real ↓ predicho →
residuals-title = Residuos, valor real menos predicción ({ $part })
residuals-target = objetivo
samples-predicted = { $target } (predicción)
samples-probability = probabilidad
samples-title = Algunas predicciones ({ $part })
written = Escrito en { $folder }: el modelo, sus métricas y la curva de aprendizaje (PNG y CSV)
what-next = Qué probar ahora
what-next-rows = { $data } incluye las filas del entrenamiento: da filas nuevas para ver cuánto acierta con ellas
curve-epoch = época

# Otras órdenes

predicted =
    { $rows ->
        [one] { $rows } fila con predicción escrita
       *[other] { $rows } filas con predicciones escritas
    } en { $file }
row-unlabelled = la fila { $row } no tiene objetivo
    .mend = elige una fila que tenga sus objetivos
rows-wrong = «{ $value }» no es una fila ni varias con comas, como 17 o 3,5
row-unknown = no hay fila { $row }; la tabla tiene { $rows }
    .mend = cuenta desde 1, sin la cabecera
explained-to = La derivación está en { $file }.
pdf-to-terminal = un PDF no es para una terminal
    .mend = da un archivo: --out pagina.pdf
format-unknown = el nombre del archivo no dice cómo hay que escribirlo
    .mend = termínalo en uno de { $endings }, o da --format
entry-wrong = «{ $wrt }» no dice qué entrada de qué peso
    .mend = da una ruta y una entrada, como 'dense/kernel[0, 3]'
out-is-model = este es el archivo del modelo
    .mend = da otro archivo con --out
out-is-data = este es el archivo de los datos
    .mend = da otro archivo con --out
out-ending = «{ $ending }» no dice un formato que se escriba
    .mend = da a --out un nombre que termine en .csv, .tsv o .parquet
summary-reads = Lee: { $columns }
summary-predicts = Predice: { $targets } ({ $task })
dataset-facts = { $rows } filas, { $columns } columnas; objetivo { $targets } ({ $task })
datasets-next = Para entrenar con uno: trasluz train NOMBRE

dataset-penguins = tamaño y especie de pingüinos de la Antártida; valores que faltan y columnas de texto
dataset-iris = pétalos y sépalos de tres lirios (Fisher)
dataset-wine = química de vinos de tres variedades
dataset-breast-cancer = forma de los núcleos celulares, benignos o malignos (Wisconsin)
dataset-digits = cifras escritas a mano, de 8 por 8 píxeles
dataset-diabetes = progresión de la diabetes un año después
dataset-linnerud = ejercicios y cuerpos de veinte hombres: tres objetivos
