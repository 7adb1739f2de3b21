//! Whisper's tensors in a graph, by what is done with them. Names say little: exporters turn the matrices of linear
//! layers and give them numbers, tensors that hold the same are stored once, and tools change names again.
//!
//! The parts of a layer can only be computed one after the other, so the order of the operations tells them apart. What
//! could be computed in any order, the projections of an attention, is found around the attention.

use super::attention::{self, Attention, place_in_stack};
use super::constant::Constant;
use super::linear::Linears;
use super::view::View;

/// Canonical names and numbers.
pub(super) type Tensors<'a> = Vec<(String, Constant<'a>)>;

/// The modules of a graph in the order of the computation.
struct Modules<'a> {
    linears: Linears<'a>,
    attentions: Vec<Attention>,
    /// Factor and summand of every normalisation.
    normals: Vec<[Constant<'a>; 2]>,
    /// Linear operations that are no projection of an attention.
    others: Vec<usize>,
}

impl<'a> Modules<'a> {
    fn find(view: &View<'a>) -> Result<Self, String> {
        if let Some(node) = view.nodes.iter().find(|node| is_fused(node.domain, node.operator)) {
            return Err(format!(
                "its operation {} of {} joins several of the model's; take the model as it was before it was optimised",
                node.operator, node.domain
            ));
        }
        if view.nodes.iter().any(|node| node.operator == "DequantizeLinear" && node.number("block_size", 0) != 0) {
            return Err(
                "its numbers share scales in blocks of several rows, which is not read; MatMulNBits is".to_owned()
            );
        }
        let linears = Linears::find(view);
        let attentions = attention::find(view, &linears);
        let mut is_other = vec![true; linears.all.len()];
        for attention in &attentions {
            let parts = [attention.queries, attention.keys, attention.values, attention.output];
            parts.into_iter().flatten().for_each(|part| is_other[part] = false);
        }
        let others = (0..linears.all.len()).filter(|place| is_other[*place] && !linears.all[*place].is_convolution);
        Ok(Self { others: others.collect(), normals: normals(view), linears, attentions })
    }

    fn put(&self, into: &mut Tensors<'a>, name: &str, linear: Option<usize>) {
        if let Some(linear) = linear.and_then(|place| self.linears.all.get(place)) {
            into.push((format!("{name}.weight"), linear.weight.clone()));
            into.extend(linear.bias.clone().map(|bias| (format!("{name}.bias"), bias)));
        }
    }

    /// Keys have no bias, and where a file has one it changes nothing.
    fn put_attention(&self, into: &mut Tensors<'a>, name: &str, attention: &Attention) {
        self.put(into, &format!("{name}.q_proj"), attention.queries);
        self.put_keys(into, name, attention.keys);
        self.put(into, &format!("{name}.v_proj"), attention.values);
        self.put(into, &format!("{name}.out_proj"), attention.output);
    }

    fn put_keys(&self, into: &mut Tensors<'a>, name: &str, keys: Option<usize>) {
        if let Some(keys) = keys.and_then(|place| self.linears.all.get(place)) {
            into.push((format!("{name}.k_proj.weight"), keys.weight.clone()));
        }
    }

    fn put_normal(&self, into: &mut Tensors<'a>, name: &str, place: usize) {
        if let Some([factor, summand]) = self.normals.get(place) {
            into.push((format!("{name}.weight"), factor.clone()));
            into.push((format!("{name}.bias"), summand.clone()));
        }
    }
}

/// Operations of ONNX Runtime's optimiser with weights of several modules in them, and numbers that are no linear code.
fn is_fused(domain: &str, operator: &str) -> bool {
    domain == "com.microsoft"
        && matches!(
            operator,
            "Attention"
                | "MultiHeadAttention"
                | "DecoderMaskedMultiHeadAttention"
                | "QAttention"
                | "SkipLayerNormalization"
                | "SkipSimplifiedLayerNormalization"
                | "MatMulBnb4"
        )
}

/// Factor and summand of every normalisation, whether it is one operation or written out: (x - mean) / deviation x factor
/// + summand.
fn normals<'a>(view: &View<'a>) -> Vec<[Constant<'a>; 2]> {
    let vector = |value: &str| Constant::of(view, value).filter(|found| found.shape().len() == 1);
    let written_out = |product: &super::message::Node<'a>| {
        let factor = product.inputs.iter().find_map(|input| vector(input))?;
        product.inputs.iter().find(|input| view.made_by(input).is_some_and(|maker| maker.operator == "Div"))?;
        let summand = view.used_by(product.output()).filter(|user| user.operator == "Add").find_map(|sum| {
            let other = sum.inputs.iter().find(|input| **input != product.output())?;
            vector(other).filter(|summand| summand.shape() == factor.shape())
        })?;
        Some([factor, summand])
    };
    let of = |node: &&super::message::Node<'a>| match node.operator {
        "LayerNormalization" => Some([vector(node.input(1)?)?, vector(node.input(2)?)?]),
        "Mul" => written_out(node),
        _ => None,
    };
    view.nodes.iter().filter_map(of).collect()
}

/// Tables of so many columns of which rows are looked up or added, each once.
fn tables<'a>(view: &View<'a>, width: usize) -> Tables<'a> {
    let mut tables: Vec<Constant<'_>> = Vec::new();
    for node in view.nodes.iter().filter(|node| matches!(node.operator, "Gather" | "Slice" | "Add")) {
        for table in node.inputs.iter().filter_map(|input| Constant::of(view, input)) {
            // Bytes are scaled behind the look-up.
            let table = if table.is_unscaled() { scaled_behind(view, table, node.output()) } else { Some(table) };
            let Some(table) = table.filter(|table| matches!(table.shape()[..], [_, columns] if columns == width))
            else {
                continue;
            };
            if !tables.iter().any(|known| known.is(&table)) {
                tables.push(table);
            }
        }
    }
    tables
}

type Tables<'a> = Vec<Constant<'a>>;

fn scaled_behind<'a>(view: &View<'a>, table: Constant<'a>, value: &str) -> Option<Constant<'a>> {
    let scaling = view.used_by(value).find(|user| user.operator == "DequantizeLinear")?;
    table.scaled(view, view.tensor(scaling.input(1)?)?, scaling.input(2), 0)
}

/// The tensors of the encoder, and those of the decoder that some exporters put behind it.
pub(super) fn encoder<'a>(view: &View<'a>) -> Result<Tensors<'a>, String> {
    let modules = Modules::find(view)?;
    let convolutions: Vec<usize> =
        (0..modules.linears.all.len()).filter(|place| modules.linears.all[*place].is_convolution).collect();
    let stacked = |place: &usize| place_in_stack(view, modules.linears.all[*place].output);
    let (crossed, others): (Vec<usize>, Vec<usize>) = modules.others.iter().partition(|place| stacked(place).is_some());
    let layers = modules.attentions.len();
    if layers == 0 || convolutions.len() != 2 || others.len() != 2 * layers || modules.normals.len() != 2 * layers + 1 {
        return Err(format!(
            "its graph is not that of Whisper's encoder: {} convolutions, {layers} attentions, {} other linear layers, {} \
             normalisations",
            convolutions.len(),
            others.len(),
            modules.normals.len()
        ));
    }
    let mut into = Vec::new();
    modules.put(&mut into, "encoder.conv1", Some(convolutions[0]));
    modules.put(&mut into, "encoder.conv2", Some(convolutions[1]));
    let width = modules.linears.all[convolutions[0]].weight.shape().first().copied().unwrap_or_default();
    into.extend(
        tables(view, width).into_iter().next().map(|table| ("encoder.embed_positions.weight".to_owned(), table)),
    );
    for (layer, attention) in modules.attentions.iter().enumerate() {
        let name = format!("encoder.layers.{layer}");
        modules.put_normal(&mut into, &format!("{name}.self_attn_layer_norm"), 2 * layer);
        modules.put_attention(&mut into, &format!("{name}.self_attn"), attention);
        modules.put_normal(&mut into, &format!("{name}.final_layer_norm"), 2 * layer + 1);
        modules.put(&mut into, &format!("{name}.fc1"), Some(others[2 * layer]));
        modules.put(&mut into, &format!("{name}.fc2"), Some(others[2 * layer + 1]));
    }
    modules.put_normal(&mut into, "encoder.layer_norm", 2 * layers);

    // Keys and values of all decoder layers, each kind in a stack of its own; keys are those without a bias.
    for place in crossed {
        let Some((_, layer)) = place_in_stack(view, modules.linears.all[place].output) else { continue };
        let name = format!("decoder.layers.{layer}.encoder_attn");
        if modules.linears.all[place].bias.is_none() {
            modules.put_keys(&mut into, &name, Some(place));
        } else {
            modules.put(&mut into, &format!("{name}.v_proj"), Some(place));
        }
    }
    Ok(into)
}

/// The tensors of the decoder.
pub(super) fn decoder<'a>(view: &View<'a>) -> Result<Tensors<'a>, String> {
    let modules = Modules::find(view)?;
    let layers = modules.attentions.len() / 2;
    let counts = (modules.attentions.len() % 2, modules.others.len(), modules.normals.len());
    if layers == 0 || counts != (0, 2 * layers + 1, 3 * layers + 1) {
        return Err(format!(
            "its graph is not that of Whisper's decoder: {} attentions, {} other linear layers, {} normalisations",
            modules.attentions.len(),
            modules.others.len(),
            modules.normals.len()
        ));
    }
    let mut into = Vec::new();
    let output = &modules.linears.all[modules.others[2 * layers]].weight;
    let (rows, width) = match output.shape()[..] {
        [rows, width] => (rows, width),
        _ => (0, 0),
    };
    let (tokens, positions): (Tables<'_>, Tables<'_>) =
        tables(view, width).into_iter().partition(|table| table.shape().first() == Some(&rows));
    // Where the table is not there, or is in no form that is read, the output projection is the same matrix.
    let tokens = tokens.into_iter().next().unwrap_or_else(|| output.clone());
    into.push(("decoder.embed_tokens.weight".to_owned(), tokens));
    into.extend(positions.into_iter().next().map(|table| ("decoder.embed_positions.weight".to_owned(), table)));
    for layer in 0..layers {
        let name = format!("decoder.layers.{layer}");
        modules.put_normal(&mut into, &format!("{name}.self_attn_layer_norm"), 3 * layer);
        modules.put_attention(&mut into, &format!("{name}.self_attn"), &modules.attentions[2 * layer]);
        modules.put_normal(&mut into, &format!("{name}.encoder_attn_layer_norm"), 3 * layer + 1);
        modules.put_attention(&mut into, &format!("{name}.encoder_attn"), &modules.attentions[2 * layer + 1]);
        modules.put_normal(&mut into, &format!("{name}.final_layer_norm"), 3 * layer + 2);
        modules.put(&mut into, &format!("{name}.fc1"), Some(modules.others[2 * layer]));
        modules.put(&mut into, &format!("{name}.fc2"), Some(modules.others[2 * layer + 1]));
    }
    modules.put_normal(&mut into, "decoder.layer_norm", 3 * layers);
    Ok(into)
}
