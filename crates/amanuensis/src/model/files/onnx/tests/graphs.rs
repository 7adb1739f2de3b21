//! Small graphs made byte by byte, as exporters and quantizers write them.

/// How the weights of linear layers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `MatMul` with a turned matrix, and `Add`.
    MatMul,
    /// `Gemm` with the matrix as it is.
    Gemm,
    /// `MatMul` with a matrix that is turned in the graph, and normalisations written out.
    WrittenOut,
    /// `MatMulInteger` with one scale.
    Dynamic,
    /// `MatMulInteger` with a scale for every output, unsigned.
    DynamicOutputs,
    /// `DequantizeLinear` before the `MatMul`.
    Dequantized,
    /// `MatMulNBits`.
    Blocks,
}

pub(super) const STYLES: [Style; 7] = [
    Style::MatMul,
    Style::Gemm,
    Style::WrittenOut,
    Style::Dynamic,
    Style::DynamicOutputs,
    Style::Dequantized,
    Style::Blocks,
];

pub(super) const WIDTH: usize = 4;
pub(super) const INNER: usize = 6;
pub(super) const MEL: usize = 3;
pub(super) const LAYERS: usize = 2;
pub(super) const TOKENS: usize = 9;

/// What one counts.
pub(super) const SCALE: f32 = 0.5;

/// The whole number at a place of a tensor: four bits, another row of them for every name.
pub(super) fn whole(name: &str, place: usize) -> i8 {
    let bytes = name.bytes().chain((place as u32).to_le_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    ((hash >> 40) % 16) as i8 - 8
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

pub(super) fn number(field: u64, number: i64) -> Vec<u8> {
    [varint(field << 3), varint(number.cast_unsigned())].concat()
}

pub(super) fn bytes(field: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

pub(super) fn text(field: u64, text: &str) -> Vec<u8> {
    bytes(field, text.as_bytes())
}

/// Kinds of numbers.
pub(super) const F32: i64 = 1;
pub(super) const U8: i64 = 2;
pub(super) const I8: i64 = 3;

pub(super) fn tensor(name: &str, shape: &[usize], kind: i64, raw: &[u8]) -> Vec<u8> {
    let shape: Vec<u8> = shape.iter().flat_map(|axis| number(1, *axis as i64)).collect();
    [shape, number(2, kind), text(8, name), bytes(9, raw)].concat()
}

pub(super) fn attribute(name: &str, value: &[u8]) -> Vec<u8> {
    [text(1, name), value.to_vec()].concat()
}

/// A node's domain stands before a colon.
pub(super) fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let (domain, operator) = operator.split_once(':').unwrap_or(("", operator));
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| text(1, input)).collect();
    node.extend([text(2, output), text(4, operator), text(7, domain)].concat());
    attributes.iter().for_each(|attribute| node.extend(bytes(5, attribute)));
    node
}

/// A file around a graph.
pub(super) fn model(graph: &[u8]) -> Vec<u8> {
    [number(1, 8), text(2, "test"), bytes(7, graph)].concat()
}

/// A graph in the making.
#[derive(Clone)]
pub(super) struct Graph {
    pub(super) style: Style,
    pub(super) nodes: Vec<Vec<u8>>,
    pub(super) tensors: Vec<Vec<u8>>,
    values: usize,
}

impl Graph {
    pub(super) fn new(style: Style) -> Self {
        Self { style, nodes: Vec::new(), tensors: Vec::new(), values: 0 }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let nodes = self.nodes.iter().flat_map(|node| bytes(1, node));
        nodes.chain(self.tensors.iter().flat_map(|tensor| bytes(5, tensor))).collect()
    }

    fn name(&mut self) -> String {
        self.values += 1;
        format!("value_{}", self.values)
    }

    pub(super) fn op(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.op_with(operator, inputs, &[])
    }

    fn op_with(&mut self, operator: &str, inputs: &[&str], attributes: &[Vec<u8>]) -> String {
        let output = self.name();
        self.nodes.push(node(operator, inputs, &output, attributes));
        output
    }

    /// Numbers under a name that says nothing.
    fn anonymous(&mut self, shape: &[usize], kind: i64, raw: &[u8]) -> String {
        let name = self.name();
        self.tensors.push(tensor(&name, shape, kind, raw));
        name
    }

    fn floats(&mut self, shape: &[usize], numbers: impl Iterator<Item = f32>) -> String {
        let raw: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
        self.anonymous(shape, F32, &raw)
    }

    /// A tensor as it is.
    fn plain(&mut self, tensor: &str, shape: &[usize]) -> String {
        let numbers: Vec<f32> =
            (0..shape.iter().product()).map(|place| f32::from(whole(tensor, place)) * SCALE).collect();
        self.floats(shape, numbers.into_iter())
    }

    pub(super) fn linear(&mut self, input: &str, name: &str, outputs: usize, inputs: usize, bias: bool) -> String {
        let weight = format!("{name}.weight");
        let at = |row: usize, column: usize| whole(&weight, row * inputs + column);
        let in_columns = (0..inputs).flat_map(|column| (0..outputs).map(move |row| (row, column)));
        let turned: Vec<i8> = in_columns.map(|(row, column)| at(row, column)).collect();
        let as_f32 = |numbers: &[i8]| numbers.iter().map(|number| f32::from(*number) * SCALE).collect::<Vec<f32>>();
        let as_bytes = |numbers: &[i8], add: u8| {
            numbers.iter().map(|number| number.cast_unsigned().wrapping_add(add)).collect::<Vec<u8>>()
        };
        let matrix = [inputs, outputs];
        let product = match self.style {
            Style::MatMul => {
                let matrix = self.floats(&matrix, as_f32(&turned).into_iter());
                self.op("MatMul", &[input, &matrix])
            }
            Style::Gemm => {
                let matrix = self.plain(&weight, &[outputs, inputs]);
                let mut all = vec![input.to_owned(), matrix];
                if bias {
                    all.push(self.plain(&format!("{name}.bias"), &[outputs]));
                }
                let all: Vec<&str> = all.iter().map(String::as_str).collect();
                return self.op_with("Gemm", &all, &[attribute("transB", &number(3, 1))]);
            }
            Style::WrittenOut => {
                let matrix = self.plain(&weight, &[outputs, inputs]);
                let matrix = self.op("Identity", &[&matrix]);
                let order = [number(8, 1), number(8, 0)].concat();
                let matrix = self.op_with("Transpose", &[&matrix], &[attribute("perm", &order)]);
                self.op("MatMul", &[input, &matrix])
            }
            Style::Dynamic | Style::DynamicOutputs => {
                let signed = self.style == Style::Dynamic;
                let matrix = self.anonymous(
                    &matrix,
                    if signed { I8 } else { U8 },
                    &as_bytes(&turned, if signed { 0 } else { 100 }),
                );
                let scales = if signed { vec![] } else { vec![outputs] };
                let count = scales.iter().product();
                let scale = self.floats(&scales, (0..count).map(|_| SCALE));
                let zero =
                    self.anonymous(&scales, if signed { I8 } else { U8 }, &vec![if signed { 0 } else { 100 }; count]);
                let quantized = self.op("DynamicQuantizeLinear", &[input]);
                let both = self.op("Mul", &["scale of the input", &scale]);
                let product = self.op("MatMulInteger", &[&quantized, &matrix, "", &zero]);
                let product = self.op("Cast", &[&product]);
                self.op("Mul", &[&product, &both])
            }
            Style::Dequantized => {
                let matrix = self.anonymous(&matrix, I8, &as_bytes(&turned, 0));
                let scale = self.floats(&[outputs], (0..outputs).map(|_| SCALE));
                let matrix = self.op_with("DequantizeLinear", &[&matrix, &scale], &[attribute("axis", &number(3, 1))]);
                self.op("MatMul", &[input, &matrix])
            }
            Style::Blocks => {
                let halves: Vec<u8> = (0..outputs * inputs)
                    .step_by(2)
                    .map(|place| {
                        let half = |place| (whole(&weight, place) + 8).cast_unsigned();
                        half(place) | half(place + 1) << 4
                    })
                    .collect();
                let matrix = self.anonymous(&[outputs, inputs / 2, 1], U8, &halves);
                let scales = self.floats(&[outputs * inputs / 2], (0..outputs * inputs / 2).map(|_| SCALE));
                let sizes = [("K", inputs), ("N", outputs), ("bits", 4), ("block_size", 2)];
                let sizes = sizes.map(|(name, size)| attribute(name, &number(3, size as i64)));
                self.op_with("com.microsoft:MatMulNBits", &[input, &matrix, &scales], &sizes)
            }
        };
        if !bias {
            return product;
        }
        let bias = self.plain(&format!("{name}.bias"), &[outputs]);
        self.op("Add", &[&bias, &product])
    }

    fn normal(&mut self, input: &str, name: &str) -> String {
        let factor = self.plain(&format!("{name}.weight"), &[WIDTH]);
        let summand = self.plain(&format!("{name}.bias"), &[WIDTH]);
        if self.style != Style::WrittenOut {
            return self.op("LayerNormalization", &[input, &factor, &summand]);
        }
        let mean = self.op("ReduceMean", &[input]);
        let from_mean = self.op("Sub", &[input, &mean]);
        let square = self.op("Mul", &[&from_mean, &from_mean]);
        let deviation = self.op("Sqrt", &[&square]);
        let quotient = self.op("Div", &[&from_mean, &deviation]);
        let product = self.op("Mul", &[&quotient, &factor]);
        self.op("Add", &[&product, &summand])
    }

    /// What an attention makes of its three inputs, before the output projection.
    fn attend(&mut self, queries: &str, keys: &str, values: &str) -> String {
        let heads = |graph: &mut Self, value: &str| {
            let value = graph.op("Reshape", &[value, "heads"]);
            graph.op("Transpose", &[&value])
        };
        let [queries, keys, values] = [queries, keys, values].map(|value| heads(self, value));
        let queries = self.op("Mul", &[&queries, "root"]);
        let keys = self.op("Transpose", &[&keys]);
        let scores = self.op("MatMul", &[&queries, &keys]);
        let scores = self.op("Add", &[&scores, "mask"]);
        let shares = self.op("Softmax", &[&scores]);
        let is_none = self.op("IsNaN", &[&shares]);
        let shares = self.op("Where", &[&is_none, "nothing", &shares]);
        let mixture = self.op("MatMul", &[&shares, &values]);
        let mixture = self.op("Transpose", &[&mixture]);
        self.op("Reshape", &[&mixture, "width"])
    }

    fn self_attention(&mut self, input: &str, layer: &str) -> String {
        let name = format!("{layer}.self_attn");
        let normal = self.normal(input, &format!("{name}_layer_norm"));
        // In an order that is nobody's.
        let values = self.linear(&normal, &format!("{name}.v_proj"), WIDTH, WIDTH, true);
        let keys = self.linear(&normal, &format!("{name}.k_proj"), WIDTH, WIDTH, false);
        let queries = self.linear(&normal, &format!("{name}.q_proj"), WIDTH, WIDTH, true);
        // What came before is joined to keys and values.
        let keys = self.op("Concat", &["past keys", &keys]);
        let values = self.op("ScatterND", &["past values", "places", &values]);
        let mixture = self.attend(&queries, &keys, &values);
        let output = self.linear(&mixture, &format!("{name}.out_proj"), WIDTH, WIDTH, true);
        self.op("Add", &[input, &output])
    }

    fn feed_forward(&mut self, input: &str, layer: &str) -> String {
        let normal = self.normal(input, &format!("{layer}.final_layer_norm"));
        let inner = self.linear(&normal, &format!("{layer}.fc1"), INNER, WIDTH, true);
        let inner = self.op("Gelu", &[&inner]);
        let output = self.linear(&inner, &format!("{layer}.fc2"), WIDTH, INNER, true);
        self.op("Add", &[input, &output])
    }

    /// The encoder; the result is its output.
    pub(super) fn encoder(&mut self) -> String {
        let mut x = "mel".to_owned();
        for (convolution, channels) in [("encoder.conv1", MEL), ("encoder.conv2", WIDTH)] {
            let weight = self.plain(&format!("{convolution}.weight"), &[WIDTH, channels, 3]);
            let bias = self.plain(&format!("{convolution}.bias"), &[WIDTH]);
            x = self.op("Conv", &[&x, &weight, &bias]);
            x = self.op("Gelu", &[&x]);
        }
        x = self.op("Transpose", &[&x]);
        let positions = self.plain("encoder.embed_positions.weight", &[5, WIDTH]);
        x = self.op("Add", &[&x, &positions]);
        for layer in 0..LAYERS {
            let layer = format!("encoder.layers.{layer}");
            x = self.self_attention(&x, &layer);
            x = self.feed_forward(&x, &layer);
        }
        self.normal(&x, "encoder.layer_norm")
    }

    /// Keys and values of all decoder layers, the last layer first.
    pub(super) fn crossed(&mut self, heard: &str) -> Vec<[String; 2]> {
        let mut crossed = Vec::new();
        for layer in (0..LAYERS).rev() {
            let name = format!("decoder.layers.{layer}.encoder_attn");
            let values = self.linear(heard, &format!("{name}.v_proj"), WIDTH, WIDTH, true);
            let keys = self.linear(heard, &format!("{name}.k_proj"), WIDTH, WIDTH, false);
            crossed.insert(0, [keys, values]);
        }
        crossed
    }

    /// Stacks of them, as sherpa-onnx has its encoder give them.
    pub(super) fn stacked(&mut self, crossed: &[[String; 2]]) {
        for kind in 0..2 {
            let all: Vec<String> = crossed.iter().map(|both| self.op("Unsqueeze", &[&both[kind], "0"])).collect();
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            self.op("Concat", &all);
        }
    }

    pub(super) fn decoder(&mut self, crossed: &[[String; 2]]) {
        let positions = self.plain("decoder.embed_positions.weight", &[7, WIDTH]);
        let positions = self.op("Slice", &[&positions, "from", "to"]);
        let tokens = self.plain("decoder.embed_tokens.weight", &[TOKENS, WIDTH]);
        let tokens = self.op("Gather", &[&tokens, "ids"]);
        let mut x = self.op("Add", &[&tokens, &positions]);
        for (layer, [keys, values]) in crossed.iter().enumerate() {
            let layer = format!("decoder.layers.{layer}");
            x = self.self_attention(&x, &layer);
            let name = format!("{layer}.encoder_attn");
            let normal = self.normal(&x, &format!("{name}_layer_norm"));
            let queries = self.linear(&normal, &format!("{name}.q_proj"), WIDTH, WIDTH, true);
            let mixture = self.attend(&queries, keys, values);
            let output = self.linear(&mixture, &format!("{name}.out_proj"), WIDTH, WIDTH, true);
            x = self.op("Add", &[&x, &output]);
            x = self.feed_forward(&x, &layer);
        }
        let normal = self.normal(&x, "decoder.layer_norm");
        self.linear(&normal, "decoder.embed_tokens", TOKENS, WIDTH, false);
    }
}
