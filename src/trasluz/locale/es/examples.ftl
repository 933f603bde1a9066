# Ejemplos resueltos

option-page-form = Cómo se escribe la página.
example-next = Para resolver uno: trasluz example NOMBRE
example-errata = Dónde se equivocan los apuntes
example-printed = impreso, reproducido a partir del error
example-right = correcto
example-unknown = no hay un ejemplo «{ $name }»; { $nearest }
    .mend = mira `trasluz example`
example-no-picture = este ejemplo no tiene dibujo
    .mend = quita --plot, o elige uno de estos: { $names }
example-drawn = El dibujo queda en { $file }

example-unam-2-2-2 = La red 2-2-2: todas sus derivadas a mano
example-unam-2-2-2-about = Dos entradas, dos neuronas ocultas, dos salidas, sigmoides y un sesgo por capa, que sus neuronas comparten; E = Σ ½(t − ŷ)², tasa de aprendizaje 0,6.
example-aisc-dose = Qué dosis funciona: una capa oculta, nueve dosis
example-aisc-dose-about = Dos neuronas ReLU, una superior y una inferior, y su suma ponderada. Se conocen todos los parámetros menos w₃; el descenso de gradiente lo encuentra, y después se entrenan los seis. En las fórmulas, x es la dosis, t la efectividad observada y ŷ la predicha; SSR = Σ (t − ŷ)².
example-toledo-tanh-sigmoid = Una deducción: f = S(w₂₀ + w₂₁·tanh(w₁₀ + w₁₁·x₁ + w₁₂·x₂))
example-toledo-tanh-sigmoid-about = S es la sigmoide, σ en las fórmulas, y e = ½(y − f)²; la derivada respecto a cada uno de los cinco pesos, y su actualización con tasa de aprendizaje 0,5.
example-t8-matrix = Retropropagación con matrices
example-t8-matrix-about = Una red 3-2-2 sobre columnas: z = W a + b, tanh y luego sigmoide, C = (y − a)². Las filas de una matriz se separan con «;». Los factores de igual forma se multiplican elemento a elemento.
example-perceptron-and = El perceptrón aprende AND
example-perceptron-and-about = En cada error de sign(w·x + w₀) se corrigen los pesos: w ← w + ηyx, con η = 1. Una recta separa las dos clases, así que los errores se acaban.
example-perceptron-xor = Un perceptrón no puede aprender XOR, tres sí
example-perceptron-xor-about = Ninguna recta separa estas clases: las correcciones dan vueltas en círculo. Dos perceptrones que aprenden OR y AND alimentan a un tercero, que aprende XOR de lo que dicen.
example-xor = XOR con y sin función de activación
example-xor-about = La misma red 2-2-1 desde el mismo comienzo, una vez con neuronas lineales y otra con tanh; error cuadrático medio, tasa de aprendizaje 0,2. La red lineal acaba por dar 0 en todas partes, que no es ninguna de las dos clases.
example-descent-1d = Descenso de gradiente en una curva
example-descent-1d-about = f(w) = (w − 2)² desde w = −1, con una tasa de aprendizaje demasiado pequeña, adecuada y demasiado grande; después, una curva con dos valles.
example-descent-2d = Descenso de gradiente en una superficie
example-descent-2d-about = f(w) = ½(w₁² + 10·w₂²) desde (−4; 1): una tasa demasiado grande para la dirección más empinada ya es demasiado grande.
example-walkthrough-2-2-2 = Otra red 2-2-2, resuelta en muchas páginas de la red
example-walkthrough-2-2-2-about = Los números de una explicación muy leída: w₁ y w₂ van a la primera neurona oculta; tasa de aprendizaje 0,5.
example-walkthrough-dose = Otra red de dosis: tres dosis, softplus
example-walkthrough-dose-about = Los números de una explicación muy vista: solo se entrena el último sesgo b₃, con tasa de aprendizaje 0,1. En las fórmulas, x es la dosis, t la efectividad observada y ŷ la predicha; SSR = Σ (t − ŷ)².

example-step-forward = Hacia delante
example-step-errors = El error de cada salida, y el total
example-step-output-weights = Las derivadas respecto a los pesos de la capa de salida, factor por factor, y sus nuevos valores
example-step-hidden-weights = Las derivadas respecto a los pesos de la capa oculta, por error de salida; los factores ya calculados se reutilizan
example-step-derivatives = Todas las derivadas, por error de salida y en total, y los nuevos valores
example-step-checks = Cada derivada tres veces: deducida, hacia atrás, diferencia central
example-step-second-forward = La segunda pasada hacia delante, con los sesgos congelados y entrenados
example-step-convergence = Una y otra vez, hasta que ningún parámetro se mueve más de 0,0001
example-step-predictions = Hacia delante, dosis a dosis
example-step-curve = La suma de residuos al cuadrado como función de w₃
example-step-chain-rule = La regla de la cadena, en una dosis
example-step-sum-of-rows = La derivada es la suma sobre las dosis
example-step-update = Un paso
example-step-repetition = Una y otra vez, hasta que deja de moverse
example-step-all-derivatives = Las derivadas respecto a todos los parámetros, en w₃ = 0 y en el mínimo
example-step-hidden-chain-rule = La regla de la cadena a través de la neurona superior; la pendiente de ReLU es [x > 0]: 1 donde se cumple y 0 donde no
example-step-all-trained = Los seis parámetros entrenados a la vez
example-step-unit-curves = La curva de cada neurona, multiplicada por su peso de salida; la suma es la predicción
example-step-count = Cuántos parámetros hay: entradas × neuronas, y un sesgo por neurona en las capas con sesgo. Así, capa por capa, se cuentan también los de un modelo de 36 capas y 120 mil millones de parámetros
example-step-derivation = Las cinco derivadas y actualizaciones; los factores ya calculados se reutilizan
example-step-updates = En una tabla
example-step-after = Después del paso
example-step-given = Datos
example-step-matrix-forward = Hacia delante
example-step-matrix-backward = Hacia atrás
example-step-matrix-update = Nuevos valores, con tasa de aprendizaje 0,5
example-step-data = Las filas
example-step-corrections = Las correcciones, en orden (doce como mucho)
example-step-correction-spelled = La primera corrección, peso a peso
example-step-result = El resultado
example-step-three = Dos perceptrones aprenden OR y AND, y el tercero aprende de lo que ellos dicen
example-step-three-say = Lo que dicen
example-step-training = Entrenamiento: los últimos pasos
example-step-collapse = Dos capas lineales son una: W⁽¹⁾W⁽²⁾, y ninguna recta acierta más de 3 de 4
example-step-rates = Tres tasas
example-step-paths = Paso a paso
example-step-local-minima = Dos comienzos en una curva con dos valles: cada uno acaba en el suyo

example-word-name = nombre
example-word-value = valor
example-word-new = nuevo
example-word-derived = deducida
example-word-backward = hacia atrás
example-word-difference = diferencia central
example-word-biases = sesgos
example-word-biases-frozen = congelados
example-word-biases-trained = entrenados
example-word-step = paso
example-word-dose = dosis
example-word-predicted = predicho
example-word-observed = observado
example-word-residual = residuo
example-word-sum = suma
example-word-derivative = derivada
example-word-rate = tasa de aprendizaje
example-word-step-size = tamaño del paso
example-word-layer = capa
example-word-shapes = formas
example-word-parameters = parámetros
example-word-formula = fórmula
example-word-shape = forma
example-word-numbers = números
example-word-cost-before = ΣC antes
example-word-cost-after = ΣC después
example-word-epoch = época
example-word-epochs = épocas
example-word-row = fila
example-word-mistakes = errores
example-word-accuracy = exactitud
example-word-perceptron = perceptrón
example-word-first = primero
example-word-second = segundo
example-word-third = tercero
example-word-units = neuronas
example-word-linear-units = lineales
example-word-tanh-units = tanh
example-word-outputs = salidas
example-word-difference-of-outputs = diferencia entre las salidas de las dos redes
example-word-best-line = exactitud de la mejor de 729 rectas
example-word-which = cuál
example-word-too-small = demasiado pequeña
example-word-right = adecuada
example-word-too-large = demasiado grande
example-word-last-loss = f(w) al final
example-word-start = comienzo
example-word-end = final

example-erratum-unam-sum = sum ŷ₁ en la derivación de la capa oculta: dice ŷ₁·w₅ + ŷ₂·w₆ + B₂ donde debe decir n₁·w₅ + n₂·w₆ + B₂
example-erratum-unam-linear = se dice que las salidas son lineales; los números usan la sigmoide
example-erratum-unam-normalisation = los parámetros aprendidos de la normalización por lotes
example-erratum-unam-rmsprop = RMSProp divide entre √v + ε, con una sola raíz; los apuntes sacan la raíz dos veces, g/√v después de v ← √v + ε (aquí, en el primer paso de w₅, g/(√v + ε), con β = 0,9 y ε = 10⁻⁷). Keras, y con él esta biblioteca, pone ε dentro de la raíz: g/√(v + ε)
example-erratum-unam-penalties = las penalizaciones por norma, las dos con λ/2: una convención. El ½ corresponde solo a L2, donde se cancela con el 2 de la derivada; Keras no lo pone en ninguna (aquí, L1 y L2 de los ocho pesos, con λ = 1)
example-erratum-unam-smoothing = suavizado de etiquetas con ε/(k−1) y 1−ε: una convención. Keras usa ε/k y 1−ε+ε/k (aquí k = 5, clase 3, ε = 0,01)
example-erratum-aisc-derivative = dSSR/dw₃ en w₃ = 0: se usó la columna de la dosis como observada
example-erratum-aisc-rows = sus filas, desde la dosis 0,5
example-erratum-aisc-step = el primer w₃ nuevo que sale de ahí
example-erratum-aisc-dose = la dosis entre 0,7 y 0,9: la coma decimal está fuera de su sitio
example-erratum-toledo-tanh = la pendiente de tanh: «1 tanh²» ha perdido su signo menos, 1 − tanh² (aquí en z_g)
example-erratum-toledo-crossentropy = la entropía cruzada categórica es −Σ y log ŷ; falta el signo menos (aquí y = (0; 0; 1), ŷ = (0,1; 0,2; 0,7))
example-erratum-toledo-update = la regla del perceptrón: «bien clasificado: w + ηyx; mal clasificado: w» tiene los dos casos intercambiados (aquí la exactitud en AND que alcanza cada regla)
example-erratum-toledo-epoch = una época: se llama así a un paso, y es una pasada por todas las filas (aquí en pasos)
example-erratum-toledo-surrogate = el sustituto suave de la pérdida 0/1: max(−y·sign(w·x), 0) tiene pendiente 0 en todas partes; debe decir max(−y·(w·x), 0) (aquí la pendiente en w = (0,5; −1) en la fila mal clasificada (1; 1))
example-erratum-toledo-hinge = la pérdida bisagra es max(1 − yŷ, 0); max(−yŷ, 0) es la del perceptrón (aquí y = 1, ŷ = 0,4)
example-erratum-toledo-xor-data = las filas de XOR: (−1; 1) está dos veces, con las etiquetas −1 y +1, y falta la fila (−1; −1) (aquí la exactitud que alcanzan los tres perceptrones)
example-erratum-toledo-xor-network = se dice que dos neuronas ocultas sin función de activación resuelven XOR a la perfección; aplicaciones lineales una tras otra son lineales (aquí la mejor exactitud de una recta, y la de la red con tanh)

curve-slope = tangente, pendiente
curve-sum = suma: la predicción
curve-observed = observado
curve-dose = dosis
curve-effect = efectividad
curve-line = la recta del perceptrón
