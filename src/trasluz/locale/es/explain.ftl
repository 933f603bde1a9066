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
