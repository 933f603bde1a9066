# Páginas de una derivación.

explain-title = Deducción de { $name }
explain-stage-data = Datos: de las celdas de la tabla a las entradas
explain-stage-forward = Hacia delante: capa { $part }
explain-stage-loss = Pérdida
explain-stage-chain = La regla de la cadena para { $part }
explain-stage-backward = { $part ->
    [loss] Hacia atrás: la pérdida
   *[other] Hacia atrás: capa { $part }
}
explain-stage-update = Actualización: { $part }
explain-reused = véase { $numbers }
explain-checks = La misma derivada de tres maneras
explain-check-derived = de esta derivación
explain-check-backward = de la pasada hacia atrás
explain-check-difference = de una diferencia central
explain-print-missing = las páginas las imprime el paquete typst, que no está instalado
    .mend = pip install 'trasluz[print]'
explain-note-entropy = la entropía cruzada, escrita con las probabilidades
explain-note-long-way = por el camino largo: a través de cada probabilidad y de la jacobiana
explain-note-short-way = por el camino corto: predicción menos objetivo, pues los objetivos suman 1
explain-note-jacobian = la jacobiana: una fila por probabilidad, una columna por logit
explain-memory = esto queda de { $first } en { $last }: solo el camino de paso en paso, sin los que van por puertas y sumas
explain-greatest = { $count ->
    [one] { $which } es el mayor: la derivada pasa solo por él
   *[other] { $which } son iguales, y los mayores: se reparten la derivada por igual
}
explain-least = { $count ->
    [one] { $which } es el menor: la derivada pasa solo por él
   *[other] { $which } son iguales, y los menores: se reparten la derivada por igual
}
explain-masked-among = { $count ->
    [one] un lugar no cuenta aquí: -1 × 10⁹ hace las veces de su puntuación, y e elevado a eso es 0
   *[other] { $count } lugares no cuentan aquí: -1 × 10⁹ hace las veces de sus puntuaciones, y e elevado a eso es 0
}
explain-masked = la máscara deja fuera este lugar: no se toma nada de él, y ninguna derivada va allí
explain-unused = no lo usa nada de lo que depende la pérdida
explain-softmax-back = de vuelta por la softmax: lo que vuelve a la parte, menos la media de eso sobre todos los lugares, ponderada por sus partes
explain-paths = tres caminos: por lo normalizado { $normalised }, por la varianza { $variance }, por la media { $mean }
explain-paths-together = los tres caminos en uno: lo que vuelve, menos su media, menos la parte que va con el valor normalizado
explain-step-masked = la máscara deja fuera este paso: queda el estado anterior, y ninguna derivada pasa por el paso
explain-off = apagada: multiplicada por 0
explain-row-unused = ninguna de estas filas consulta esta fila de la tabla: no le vuelve nada
explain-row-used = { $count ->
    [one] esta fila de la tabla se consultó una vez, para { $which }; a las que nadie consulta no les llega nada
   *[other] esta fila de la tabla se consultó { $count } veces, para { $which }{ $more ->
        [0] {""}
       *[other] {" "}y { $more } más
    }: lo que vuelve allí se suma; a las que nadie consulta no les llega nada
}
explain-row-windows = windows: cada fila es una ventana del arreglo, extendida; así una convolución es un solo producto
explain-row-place = place: de vuelta adonde se tomó, con ceros en lo demás
explain-row-mask = mask: lo que no cuenta se pone en -1 × 10⁹ antes de una softmax, y en 0 después
explain-row-scatter = scatter: cada fila vuelve adonde se consultó en la tabla; las que se consultaron más de una vez se suman
explain-places = Lugar por lugar: lo que el peso encontró, por lo que vuelve
explain-places-met = { $met }: lo que multiplicó el peso en cada lugar; { $back }: la derivada respecto a la suma allí
explain-places-left = el peso se usó en { $all } lugares; los { $count } que se omiten suman { $rest }
explain-places-row = fila { $row }
explain-places-title-met = lo que el peso encontró
explain-places-title-back = lo que vuelve
explain-places-title-product = su producto; suma { $total }
explain-unknown = no hay nada llamado «{ $name }» respecto a lo que derivar
    .mend = { $nearest }
explain-no-entry = { $name }, de forma { $shape }, no tiene la entrada { $at }
    .mend = cuenta desde 0; su última entrada es { $last }
explain-not-trained = «{ $name }» no se entrena: no se deriva respecto a ello
    .mend = { $nearest }
explain-whole-numbers = la entrada «{ $name }» contiene números enteros y no tiene derivada
    .mend = pregunta por el embedding del que eligen
explain-no-call = el modelo no tiene ningún call que dé sus salidas
    .mend = escribe call(self, x) o pregunta por una capa suya que esté compilada
explain-not-moved = «{ $name }» no es un parámetro: ningún optimizador lo mueve
    .mend = quita update o pregunta por un peso
explain-not-finite = un número no es finito: { $value } sale primero de «{ $row }», en { $at } de la forma { $shape }
    .mend = busca ahí NaN y números muy grandes entre las entradas y los pesos
explain-nothing = la pérdida no depende de ningún peso ni de ningún número de las entradas
    .mend = haz que las salidas se calculen con las entradas, o con pesos
explain-cut = la pérdida depende de { $name } solo a través de «{ $row }», que no tiene derivada
    .mend = elige ahí una función con derivada, p. ej. tanh en vez de sign
explain-apart = la pérdida no depende de { $name }
    .mend = una entropía cruzada se calcula a partir de lo que entra en la softmax o la sigmoide: pregunta por la suma de una capa, como dense/sum, o por una capa anterior
explain-depth = depth es «{ $depth }»
    .mend = elige 'layer' u 'op'
explain-cells = cells es { $cells }
    .mend = da fórmulas por el número de la columna, o déjalo
explain-digits = digits es { $digits }
    .mend = da un número entero de 1 a 17
explain-needs-entry = update, depth y names son para una sola entrada, y no se da ninguna
    .mend = di cuál, como dense/kernel[0, 1], o quítalos para la forma matricial
explain-at = «{ $at }» no es una entrada
    .mend = da números enteros, uno por eje, como (0, 1)
explain-name-wrong = «{ $name }» no es una fórmula: { $reason }
    .mend = da nombres en LaTeX, con llaves que se cierren
explain-name-key = { $key } no es una entrada que se pueda nombrar
    .mend = da una ruta y un lugar, como ("dense/kernel", (0, 1))
