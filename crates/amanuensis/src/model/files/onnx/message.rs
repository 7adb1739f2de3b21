//! The messages of an ONNX file, as far as they matter here, over the bytes of the file.

use std::ops::Range;

use super::protobuf::{Fields, Value};

/// Graphs within graphs: a merged decoder has one level.
const DEEPEST_GRAPH: usize = 6;
/// Nodes, names, tensors and settings of a file. Whisper's largest decoder, twice in one file, has a quarter of these.
const MOST_PARTS: usize = 400_000;

/// A file.
#[derive(Debug, Default)]
pub(super) struct Model<'a> {
    pub(super) graph: Graph<'a>,
    pub(super) metadata: Vec<(&'a str, &'a str)>,
}

/// A graph: nodes in an order in which they can be computed.
#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) tensors: Vec<Tensor<'a>>,
}

/// An operation.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) operator: &'a str,
    pub(super) domain: &'a str,
    /// Names of values; an empty one is left out.
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    pub(super) attributes: Vec<Attribute<'a>>,
}

/// A setting of an operation.
#[derive(Debug, Default)]
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    pub(super) number: i64,
    pub(super) float: f32,
    pub(super) numbers: Vec<i64>,
    pub(super) tensor: Option<Tensor<'a>>,
    pub(super) graph: Option<Graph<'a>>,
}

/// Numbers with a shape.
#[derive(Debug, Clone, Default)]
pub(super) struct Tensor<'a> {
    pub(super) name: &'a str,
    pub(super) shape: Vec<usize>,
    /// The kind of numbers, by ONNX's count.
    pub(super) kind: u64,
    pub(super) data: Data<'a>,
}

/// Where the numbers of a tensor are.
#[derive(Debug, Clone, Default)]
pub(super) enum Data<'a> {
    /// Nowhere: there are none.
    #[default]
    None,
    /// In the file, as they are in memory.
    Raw(Range<usize>),
    /// In the file, as a list of varints.
    Varints(Range<usize>),
    /// In another file.
    External { location: &'a str, offset: u64, length: Option<u64> },
}

impl<'a> Node<'a> {
    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn number(&self, name: &str, absent: i64) -> i64 {
        self.attribute(name).map_or(absent, |attribute| attribute.number)
    }

    /// The input at a place, unless it is left out.
    pub(super) fn input(&self, place: usize) -> Option<&'a str> {
        self.inputs.get(place).copied().filter(|name| !name.is_empty())
    }

    pub(super) fn output(&self) -> &'a str {
        self.outputs.first().copied().unwrap_or_default()
    }
}

/// Reads a file.
pub(super) fn read(bytes: &[u8]) -> Result<Model<'_>, String> {
    let mut reader = Reader { bytes, parts_left: MOST_PARTS };
    let mut model = Model::default();
    let mut has_graph = false;
    let mut fields = Fields::new(bytes, 0..bytes.len());
    while let Some(field) = fields.next()? {
        match field {
            (7, Value::Bytes(range)) => {
                model.graph = reader.graph(range, 0)?;
                has_graph = true;
            }
            (14, Value::Bytes(range)) => model.metadata.push(reader.entry(range)?),
            _ => {}
        }
    }
    if has_graph { Ok(model) } else { Err("there is no graph in it".to_owned()) }
}

struct Reader<'a> {
    bytes: &'a [u8],
    parts_left: usize,
}

impl<'a> Reader<'a> {
    /// Counts what takes memory.
    fn part(&mut self) -> Result<(), String> {
        self.parts_left = self.parts_left.checked_sub(1).ok_or_else(|| {
            format!("it has more than {MOST_PARTS} nodes, names, tensors and settings, which no Whisper model has")
        })?;
        Ok(())
    }

    fn text(&mut self, range: Range<usize>) -> Result<&'a str, String> {
        self.part()?;
        let start = range.start;
        let bytes = self.bytes.get(range).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| format!("the name at byte {start} is not UTF-8"))
    }

    fn graph(&mut self, range: Range<usize>, depth: usize) -> Result<Graph<'a>, String> {
        if depth > DEEPEST_GRAPH {
            return Err(format!("graphs within graphs, deeper than {DEEPEST_GRAPH}"));
        }
        let mut graph = Graph::default();
        let mut fields = Fields::new(self.bytes, range);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(range)) => graph.nodes.push(self.node(range, depth)?),
                (5, Value::Bytes(range)) => graph.tensors.push(self.tensor(range)?),
                _ => {}
            }
        }
        Ok(graph)
    }

    fn node(&mut self, range: Range<usize>, depth: usize) -> Result<Node<'a>, String> {
        self.part()?;
        let mut node = Node::default();
        let mut fields = Fields::new(self.bytes, range);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(range)) => node.inputs.push(self.text(range)?),
                (2, Value::Bytes(range)) => node.outputs.push(self.text(range)?),
                (4, Value::Bytes(range)) => node.operator = self.text(range)?,
                (5, Value::Bytes(range)) => node.attributes.push(self.attribute(range, depth)?),
                (7, Value::Bytes(range)) => node.domain = self.text(range)?,
                _ => {}
            }
        }
        Ok(node)
    }

    fn attribute(&mut self, range: Range<usize>, depth: usize) -> Result<Attribute<'a>, String> {
        self.part()?;
        let mut attribute = Attribute::default();
        let mut fields = Fields::new(self.bytes, range);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(range)) => attribute.name = self.text(range)?,
                (2, Value::Four(bytes)) => attribute.float = f32::from_le_bytes(bytes),
                (3, Value::Number(number)) => attribute.number = number.cast_signed(),
                (5, Value::Bytes(range)) => attribute.tensor = Some(self.tensor(range)?),
                (6, Value::Bytes(range)) => attribute.graph = Some(self.graph(range, depth + 1)?),
                (8, Value::Number(number)) => {
                    self.part()?;
                    attribute.numbers.push(number.cast_signed());
                }
                (8, Value::Bytes(range)) => {
                    let mut packed = Fields::new(self.bytes, range);
                    while let Some(number) = packed.next_packed()? {
                        self.part()?;
                        attribute.numbers.push(number.cast_signed());
                    }
                }
                _ => {}
            }
        }
        Ok(attribute)
    }

    fn tensor(&mut self, range: Range<usize>) -> Result<Tensor<'a>, String> {
        self.part()?;
        let mut tensor = Tensor::default();
        let mut external = None;
        let mut fields = Fields::new(self.bytes, range);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Number(number)) => self.axis(number, &mut tensor)?,
                (1, Value::Bytes(range)) => {
                    let mut packed = Fields::new(self.bytes, range);
                    while let Some(number) = packed.next_packed()? {
                        self.axis(number, &mut tensor)?;
                    }
                }
                (2, Value::Number(kind)) => tensor.kind = kind,
                (8, Value::Bytes(range)) => tensor.name = self.text(range)?,
                // Floats in a list lie as they do in memory.
                (4 | 9, Value::Bytes(range)) => tensor.data = Data::Raw(range),
                (5 | 7, Value::Bytes(range)) => tensor.data = Data::Varints(range),
                (13, Value::Bytes(range)) => {
                    let (key, value) = self.entry(range)?;
                    let number = || value.parse().map_err(|_| format!("tensor {}: {key} is {value:?}", tensor.name));
                    let (location, offset, length) = external.get_or_insert(("", 0, None));
                    match key {
                        "location" => *location = value,
                        "offset" => *offset = number()?,
                        "length" => *length = Some(number()?),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        if let Some((location, offset, length)) = external {
            tensor.data = Data::External { location, offset, length };
        }
        Ok(tensor)
    }

    fn axis(&mut self, length: u64, tensor: &mut Tensor<'a>) -> Result<(), String> {
        self.part()?;
        let length = usize::try_from(length.cast_signed())
            .map_err(|_| format!("tensor {}: an axis has the length {}", tensor.name, length.cast_signed()))?;
        tensor.shape.push(length);
        Ok(())
    }

    fn entry(&mut self, range: Range<usize>) -> Result<(&'a str, &'a str), String> {
        let mut entry = ("", "");
        let mut fields = Fields::new(self.bytes, range);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(range)) => entry.0 = self.text(range)?,
                (2, Value::Bytes(range)) => entry.1 = self.text(range)?,
                _ => {}
            }
        }
        Ok(entry)
    }
}
