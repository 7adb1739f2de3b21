//! A graph that can be asked who makes a value and who uses it. The graphs around it, whose values it sees, are part of it.

use std::collections::HashMap;

use super::message::{Graph, Node, Tensor};

/// A graph with those around it.
pub(super) struct View<'a> {
    /// In an order in which they can be computed.
    pub(super) nodes: Vec<&'a Node<'a>>,
    tensors: HashMap<&'a str, &'a Tensor<'a>>,
    makers: HashMap<&'a str, usize>,
    users: HashMap<&'a str, Vec<usize>>,
}

/// A graph and all graphs in it, each with those around it. The two halves of a merged decoder are two of them.
pub(super) fn views<'a>(graph: &'a Graph<'a>) -> Vec<View<'a>> {
    let mut views = Vec::new();
    collect(graph, &mut Vec::new(), &mut views);
    views
}

/// No file that is read has more graphs in graphs.
const MOST_VIEWS: usize = 16;

fn collect<'a>(graph: &'a Graph<'a>, around: &mut Vec<&'a Graph<'a>>, views: &mut Vec<View<'a>>) {
    if views.len() >= MOST_VIEWS {
        return;
    }
    around.push(graph);
    views.push(View::new(around));
    for graph in graph.nodes.iter().flat_map(|node| &node.attributes).filter_map(|attribute| attribute.graph.as_ref()) {
        collect(graph, around, views);
    }
    around.pop();
}

impl<'a> View<'a> {
    fn new(graphs: &[&'a Graph<'a>]) -> Self {
        let nodes: Vec<&Node<'_>> = graphs.iter().flat_map(|graph| &graph.nodes).collect();
        let mut tensors = HashMap::new();
        let mut makers = HashMap::new();
        let mut users: HashMap<&str, Vec<usize>> = HashMap::new();
        for tensor in graphs.iter().flat_map(|graph| &graph.tensors) {
            tensors.insert(tensor.name, tensor);
        }
        for (place, node) in nodes.iter().enumerate() {
            if node.operator == "Constant"
                && let Some(tensor) = node.attribute("value").and_then(|attribute| attribute.tensor.as_ref())
            {
                tensors.insert(node.output(), tensor);
            }
            for output in &node.outputs {
                makers.insert(*output, place);
            }
            for input in node.inputs.iter().filter(|input| !input.is_empty()) {
                users.entry(input).or_default().push(place);
            }
        }
        Self { nodes, tensors, makers, users }
    }

    /// The numbers that a value is, if it does not depend on what is heard.
    pub(super) fn tensor(&self, value: &str) -> Option<&'a Tensor<'a>> {
        self.tensors.get(value).copied()
    }

    /// The place of the node that makes a value.
    pub(super) fn maker(&self, value: &str) -> Option<usize> {
        self.makers.get(value).copied()
    }

    /// The node that makes a value.
    pub(super) fn made_by(&self, value: &str) -> Option<&'a Node<'a>> {
        self.maker(value).map(|place| self.nodes[place])
    }

    /// The places of the nodes that use a value.
    pub(super) fn users(&self, value: &str) -> &[usize] {
        self.users.get(value).map_or(&[], Vec::as_slice)
    }

    /// The nodes that use a value.
    pub(super) fn used_by(&self, value: &str) -> impl Iterator<Item = &'a Node<'a>> {
        self.users(value).iter().map(|place| self.nodes[*place])
    }
}
