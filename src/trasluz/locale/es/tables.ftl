# Leer una tabla

table-encoding = codificación encontrada: { $encoding }
table-delimiter = delimitador encontrado: «{ $delimiter }»

table-missing = el archivo no existe
    .mend = revisa la ruta
table-neither = no es un archivo ni un conjunto de datos; { $nearest }
    .mend = revisa la ruta, o mira `trasluz datasets`
table-folder = es una carpeta
    .mend = da un archivo CSV, TSV o Parquet
table-unreadable = el archivo no se puede leer ({ $reason })
    .mend = revisa los permisos del archivo
table-empty = el archivo está vacío
    .mend = da una tabla con una línea de nombres de columnas y algunas filas
table-no-rows = la tabla tiene nombres de columnas pero ninguna fila
    .mend = da una tabla con algunas filas
table-format = es un archivo de { $format }, no una tabla
    .mend = expórtalo como CSV o Parquet
table-binary = es un archivo binario, no una tabla
    .mend = da un archivo CSV, TSV o Parquet, o di su --encoding
table-parquet = el archivo Parquet no se puede leer ({ $reason })
    .mend = puede estar cortado: hazlo de nuevo
table-unknown-encoding = codificación desconocida: «{ $encoding }»
    .mend = quita --encoding para que se averigüe, o prueba utf-8, cp1252 o utf-16
table-encoding-fails = la línea { $line } no es texto en la codificación { $encoding }
    .mend = quita --encoding para que se averigüe, o prueba utf-8, cp1252 o utf-16
table-delimiter-length = «{ $delimiter }» no puede ser un delimitador
    .mend = un delimitador es un carácter, como , o ;
table-wrong-delimiter = el delimitador «{ $given }» deja una sola columna; la tabla parece usar «{ $likely }»
    .mend = quita --delimiter, o da --delimiter "{ $likely }"
table-ragged =
    la línea { $line } tiene { $found ->
        [one] { $found } celda
       *[other] { $found } celdas
    } y la primera tiene { $expected }
    .mend = da a cada línea tantas celdas como nombres de columnas, y pon entre comillas las que contengan el delimitador
table-quotes = la línea { $line } tiene comillas que no casan ({ $reason })
    .mend = cierra las comillas, y dobla las que estén dentro de una celda entrecomillada
table-long-cell = la línea { $line } tiene una celda de más de { $most } caracteres
    .mend = si es una comilla sin cerrar, ciérrala; si no, quita esa columna
table-duplicate = las columnas { $first } y { $second } se llaman igual, «{ $column }»
    .mend = cambia el nombre de una de ellas
table-lacks-column = falta la columna «{ $column }», que el modelo lee; { $nearest }
    .mend = da una tabla con las columnas del entrenamiento
table-lacks-target = falta la columna «{ $column }», con la que se comparan las predicciones; { $nearest }
    .mend = da una tabla que la tenga, o usa `trasluz predict`, que no la necesita
table-few-rows =
    { $rows ->
        [one] { $rows } fila es demasiado poco
       *[other] { $rows } filas son demasiado pocas
    }
    .mend = da al menos { $needed } filas, o no apartes ninguna con --validation 0 --test 0
table-no-features = no queda ninguna columna de la que aprender{ $reasons }
    .mend = da columnas que varíen; si la tabla tiene una sola columna, revisa su delimitador

# Objetivos y columnas

target-not-given = falta el objetivo; las columnas son { $columns }
    .mend = di cuál predecir con --target COLUMNA
target-unknown = no hay ninguna columna «{ $column }» que predecir; { $nearest }
    .mend = da el nombre de una columna
target-twice = el objetivo «{ $column }» está dos veces
    .mend = dalo una vez
target-all-missing = ninguna fila tiene valor en el objetivo «{ $column }»
    .mend = rellena la columna, o elige otra
target-rows-missing =
    { $rows ->
        [one] { $rows } fila sin «{ $column }» queda fuera
       *[other] { $rows } filas sin «{ $column }» quedan fuera
    }
target-one-class = el objetivo «{ $column }» vale «{ $value }» en todas las filas
    .mend = da filas en las que varíe: de dos clases, o de números distintos
target-constant = el objetivo «{ $column }» vale { $value } en todas las filas
    .mend = da filas en las que varíe
target-text = la fila { $row } del objetivo numérico «{ $column }» contiene «{ $value }»
    .mend = corrige la celda, o di que es una clase con --task multi-class
target-text-among-several = la fila { $row } del objetivo «{ $column }» contiene «{ $value }», y varios objetivos solo se pueden predecir como números
    .mend = corrige la celda o, si la columna es de texto, quítala o dala como único objetivo
target-too-many-classes = el objetivo «{ $column }» tiene { $classes } clases en { $rows } filas: no hay de qué aprender una clase
    .mend = elige otro objetivo o, si contiene números, da --task regression
target-not-binary = el objetivo «{ $column }» tiene { $classes } valores distintos, no dos
    .mend = quita --task para que se averigüe
target-several-classes = varios objetivos solo se pueden predecir como números, no como { $task }
    .mend = da un objetivo, o quita --task
target-new-class = la fila { $row } de «{ $column }» contiene «{ $value }», que el entrenamiento no vio; { $nearest }
    .mend = corrige la celda, o entrena otra vez con filas de esa clase
column-infinite = la fila { $row } de la columna «{ $column }» contiene { $value }
    .mend = da un número finito menor que 1e150, o deja la celda vacía
column-far = la fila { $row } de la columna «{ $column }» contiene { $value }, inmensamente lejos de las filas del entrenamiento
    .mend = corrige la celda, o déjala vacía
column-few-words =
    «{ $column }» contiene { $kind ->
        [boolean] valores lógicos
       *[number] números
    }, pero { $cells ->
        [one] { $cells } celda no lo es («{ $value }» en la fila { $row }): se toma como faltante
       *[other] { $cells } celdas no lo son (la primera: «{ $value }» en la fila { $row }): se toman como faltantes
    }
column-unreadable =
    el modelo lee «{ $column }» como { $kind ->
        [boolean] verdadero o falso
       *[number] números
    }, y ninguna celda puede leerse así (la primera: «{ $value }» en la fila { $row })
    .mend = escribe { $kind ->
        [boolean] true o false
       *[number] números con punto decimal y sin unidad
    }, o deja las celdas vacías
column-unused = «{ $column }» no se usa: { $reason }
column-constant = «{ $column }» no se usa: no cambia en la parte de entrenamiento
reason-empty = no tiene valores
reason-type = su tipo es { $type }
reason-identifier = casi cada fila tiene su propio texto, como un identificador
reason-row-number = numera las filas

# Partes y preparaciones

split-shares = validación { $validation } y prueba { $test } no dejan nada para entrenar
    .mend = da partes de 0 a 1 cuya suma sea menor que 1
split-not-stratified = algunas clases tienen muy pocas filas para mantener su proporción en cada parte
preparation-missing = el modelo no se entrenó con una tabla, así que no puede leer una
    .mend = usa un modelo hecho por `trasluz train`
preparation-wrong = la preparación de tablas del archivo contiene lo que trasluz nunca escribe ({ $reason })
    .mend = no te fíes de este archivo: usa una copia intacta, o entrena otra vez
preparation-newer = la preparación del modelo la escribió una versión más nueva
    .mend = actualiza trasluz

# Nombres

suggest-nearest = ¿querías decir «{ $name }»?
suggest-known = se conocen: { $names }
suggest-columns = las columnas son { $names }
network-deep = una red de { $layers } capas es demasiado profunda
    .mend = da como mucho { $most } anchuras a --hidden
network-large = la red tendría { $weights } pesos
    .mend = da menos unidades a --hidden: aquí caben { $most } pesos como mucho; la variable de entorno TRASLUZ_MOST_NUMBERS sube el límite
table-name = una columna se llama «{ $column }», que se lee como un patrón
    .mend = cámbiale el nombre: sin ^ al principio o sin $ al final
