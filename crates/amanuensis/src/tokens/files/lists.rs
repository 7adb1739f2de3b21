//! The lists of a GGUF file.

use super::{TokenLists, ranked};
use crate::tokens::byte_alphabet::push_bytes;
use crate::tokens::special::TokenizerSettings;
use crate::tokens::vocabulary::{Added, Draft, LARGEST_VOCABULARY, Learnt, WrittenMerges};
use crate::tokens::{Token, TokenizerError};

pub(super) fn read(lists: &TokenLists<'_>, settings: &TokenizerSettings) -> Result<Draft, TokenizerError> {
    let TokenLists { name, tokens, merges, added, unused, prefix_space } = *lists;
    let inconsistent = |reason: String| TokenizerError::Inconsistent { file: name.to_owned(), reason };
    if tokens.len() > LARGEST_VOCABULARY {
        return Err(inconsistent(format!("{} tokens, more than the limit of {LARGEST_VOCABULARY}", tokens.len())));
    }
    let is = |marks: &[bool], place: usize| marks.get(place).copied().unwrap_or(false);
    let mut bytes = Vec::new();
    let (mut places, mut words) = (Vec::with_capacity(tokens.len()), Vec::new());
    for (id, (place, token)) in (0 as Token..).zip(tokens.iter().enumerate()) {
        if is(added, place) {
            words.push(Added { id, text: (*token).to_owned(), special: false });
        } else if !is(unused, place) {
            let start = bytes.len();
            push_bytes(token, &mut bytes);
            places.push((id, start..bytes.len()));
        }
    }
    let texts: Vec<(Token, &[u8])> = places.into_iter().map(|(id, place)| (id, &bytes[place])).collect();
    let mut draft = ranked::draft(name, &texts, settings)?;
    draft.added.extend(words);
    draft.prefix_space = prefix_space;
    if let Some(merges) = merges {
        let mut written = WrittenMerges::default();
        for (number, pair) in merges.iter().enumerate() {
            match pair.split_once(' ') {
                Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
                    written.push(left, right);
                }
                _ => {
                    return Err(inconsistent(format!(
                        "merge {number}, {pair:?}, is not two texts with a space between"
                    )));
                }
            }
        }
        draft.merges = Learnt::Written(written);
    }
    Ok(draft)
}
