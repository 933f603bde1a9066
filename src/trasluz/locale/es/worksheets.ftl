# Command lines

command-worksheet = Hace ejercicios: un paso de entrenamiento de una red pequeña para cada estudiante, con sus propios números y huecos, y las respuestas para el profesor.
command-grade = Corrige ANSWERS, las respuestas a SHEET (su archivo .json, o la página que está al lado), o una carpeta de respuestas a una carpeta de hojas; un error temprano solo cuesta su propio punto.
option-network = Entradas, y unidades de cada capa.
option-activations = Activación de las capas; una para cada una, separadas por comas.
option-loss = Lo que se minimiza: half_squared_error, mse, categorical_crossentropy …
option-rate = Tamaño del paso; se sortea para cada estudiante si no se da.
option-sheet-seed = Semilla de todos los números: la misma semilla hace las mismas hojas.
option-students = Cuántas hojas.
option-blanks = Pasos en blanco, repartidos del primero al último; 12 si no se dice, o todos los de --stages.
option-stages = Dónde están los huecos: forward, loss, backward, update; varios separados por comas.
option-weights = Un peso que derivar: w5, o su ruta y entrada como 'output/kernel[0, 0]'; puede darse varias veces.
option-sheet-form = En qué se escriben las hojas.
option-folder = Dónde escribir.
option-model = Hace las hojas con este modelo tuyo, con --data.
option-data = La tabla con las filas para --model.
option-rows = Números de sus filas, desde 1, separados por comas; todas si no se dice.
option-example = Hace el ejercicio de un ejemplo resuelto: unam-2-2-2.
option-tolerance = Cuánto puede desviarse una respuesta, como parte de la correcta.

# Dibujos de redes

diagram-network = red { $sizes }
diagram-layers = red de { $count } capas
diagram-inputs = entradas
diagram-hidden = oculta
diagram-output = salida

# Páginas de los ejercicios

worksheet-title = Un paso de entrenamiento de una red, a mano
worksheet-student = Estudiante { $student }
worksheet-name = Nombre
worksheet-date = Fecha
worksheet-points = Puntos
worksheet-sheet = Hoja
worksheet-task = Calcula los { $blanks } huecos, de { $first } a { $last }, en este orden y con { $digits } cifras significativas. Cada uno vale un punto; si un hueco necesita otro anterior, un error temprano solo cuesta su propio punto.
worksheet-given = Datos
worksheet-loss = Pérdida
worksheet-optimizer = Optimizador
worksheet-download = Descargar mis respuestas
worksheet-notebook = Escribe un número después de cada `=`, o deja que Python lo calcule, y ejecuta todas las celdas antes de entregar el cuaderno.
worksheet-backward = Derivada
worksheet-forward = Hacia delante: capa { $layer }
worksheet-update = Actualización
worksheet-forward-hidden = Hacia delante: capa oculta
worksheet-forward-output = Hacia delante: capa de salida
worksheet-key = Respuestas
worksheet-drawing = La red con sus números

# Hacer ejercicios

worksheet-network = la red { $sizes } no cabe en un ejercicio
    .mend = da de 2 a 4 anchuras separadas por guiones, como 2-2-2: { $layers } capas como máximo, de { $units } unidades como máximo
worksheet-classes = la pérdida distingue clases, y la red { $sizes } tiene una sola salida
    .mend = da dos salidas o más, como 2-3-2, u otra pérdida
worksheet-activations = «{ $names }» no nombra una activación para las { $layers } capas, ni una para cada una
    .mend = da una, o { $layers } separadas por comas
worksheet-unmet = no se encontraron buenos números en { $tries } intentos para el estudiante { $student }: las unidades se saturan o mueren, o las derivadas se anulan
    .mend = da otra semilla, menos capas, otra activación u otros pesos con --wrt
worksheet-large = esta red es demasiado grande para calcularla en papel: { $count } es más que { $most } pesos o pasos
    .mend = entrena una pequeña, como `trasluz train DATA --hidden 3`, con una tabla de pocas columnas
worksheet-many-rows = se hace una hoja de cada fila, y { $count } filas son más que { $most }
    .mend = nombra algunas con --rows, como --rows 3,5
worksheet-no-weights = ninguna capa del modelo tiene un kernel que derivar
    .mend = di qué derivar con --wrt, como --wrt 'dense/kernel[0, 0]'
worksheet-wrt = esto no es un peso de la red
    .mend = { $nearest }
worksheet-blanks = se piden { $blanks } huecos, y hay { $steps } pasos que dejar en blanco
    .mend = da --blanks de 1 a { $steps }, o más --stages
worksheet-format = «{ $form }» no es un formato de ejercicios
    .mend = da uno de { $forms }
worksheet-missing = no existe ese ejercicio
    .mend = da el archivo .json de una hoja, o su página con ese archivo al lado
worksheet-not-one = esto no es un ejercicio de esta versión
    .mend = da el archivo .json que se escribió junto a la hoja
worksheet-changed = este ejercicio se cambió después de hacerse
    .mend = usa el archivo tal como lo escribió `trasluz worksheet`
worksheet-none = aquí no hay ejercicios
    .mend = da la carpeta que escribió `trasluz worksheet --out`
worksheet-two-sources = --model y --example dicen los dos de qué se hacen las hojas
    .mend = da uno de ellos, o ninguno
worksheet-no-data = --model necesita --data, una tabla con filas para él
    .mend = da --data TABLA, y --rows si no son todas
worksheet-example-unknown = no hay ejercicio del ejemplo «{ $name }»
    .mend = { $nearest }
worksheet-stage-unknown = no existe la etapa «{ $name }»
    .mend = { $nearest }
worksheet-sizes-wrong = «{ $value }» no es una red como 2-2-2
    .mend = da números enteros separados por guiones
worksheet-unknown = no existe { $kind ->
        [loss] la pérdida
        [optimizer] el optimizador
       *[other] la activación
    } «{ $name }»
    .mend = { $nearest }
worksheet-fit = la pérdida { $loss } no tiene sentido tras la activación { $activation } de la última capa
    .mend = termina con { $fits }, o da una sola activación para todas y en la última capa se toma una adecuada; o da otra pérdida
worksheet-apart = { $names } no cambiaría nada: con { $other } las hojas se hacen de otra cosa
    .mend = quita { $names }, o { $other }
worksheet-no-model = { $names } trata de una tabla, y no hay un --model que vea sus filas
    .mend = da también --model MODELO y --data TABLA
worksheet-saturated = algunas sumas de { $sheets } pasan de ±2,5, donde la activación es plana: las derivadas de detrás son pequeñas
worksheet-flat = { $step } es 0, o casi, en { $sheets }: hay poco que calcular; --wrt pide otros pesos
worksheets-removed = se quitó lo que hojas anteriores dejaron en la carpeta: { $names }
worksheets-written =
    { $sheets ->
        [one] { $sheets } ejercicio escrito
       *[other] { $sheets } ejercicios escritos
    } en { $folder }; las respuestas están en { $key }

# Leer respuestas

answers-missing = no existe ese archivo de respuestas
    .mend = da la página, el cuaderno, el CSV o el JSON con las respuestas de un estudiante
answers-ending = esta terminación no dice cómo están escritas las respuestas
    .mend = da un archivo que termine en { $endings }
answers-broken = el archivo no se puede leer
    .mend = guárdalo otra vez, en UTF-8
answers-json = el archivo no es el JSON o el cuaderno que dice ser
    .mend = guárdalo o descárgalo otra vez
answers-twice = { $sheet } se respondió más de una vez: { $names }
    .mend = conserva las respuestas que valen
answers-none = no hay respuestas en él
    .mend = escríbelas en líneas como q1 = 0,41
answers-table = esto no es una tabla de una clase
    .mend = da un archivo CSV con las columnas sheet, q1, q2, … y una fila por estudiante; answers.csv de la carpeta del profesor es uno
answers-other-sheet = estas respuestas son de la hoja { $other }, no de la { $sheet }
    .mend = da las respuestas y la hoja del mismo estudiante
answers-foreign = la hoja no tiene los huecos { $names }; tiene { $blanks }
    .mend = da las respuestas de esta hoja
answers-unplaced = no se encontró la hoja de { $names }
    .mend = nombra archivos y filas como las hojas: sheet-07

# Notas

marks-title = Notas de { $name }
marks-blank = hueco
marks-step = paso
marks-given = dado
marks-right = correcto
marks-expected = con los valores del estudiante
marks-verdict = veredicto
marks-score = Puntos: { $score } de { $points }
marks-first = El primer error está en { $blank }, { $step }: se dio { $given }, lo correcto es { $expected }.
marks-class = Notas de la clase
marks-student = hoja
marks-points = puntos
marks-first-wrong = primer error
marks-problems =
    { $count ->
        [one] Una cosa no estaba como debía:
       *[other] { $count } cosas no estaban como debían:
    }
marks-missed = Lo que más se falló: { $step } (en { $count ->
        [one] { $count } hoja
       *[other] { $count } hojas
    })
verdict-right = correcto
verdict-followed = correcto dado un error anterior
verdict-wrong = incorrecto
verdict-missing = falta
verdict-unreadable = no es un número
