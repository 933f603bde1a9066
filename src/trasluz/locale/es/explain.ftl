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
