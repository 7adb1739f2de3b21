//! The format of PyTorch since 1.6: a zip archive in which nothing is packed.
//!
//! ```text
//! NAME/data.pkl     the pickle
//! NAME/byteorder    little
//! NAME/data/0       the numbers of storage 0, and so on
//! ```

use std::collections::HashMap;
use std::ops::Range;

use super::checkpoint::Saved;
use super::{Fault, pickle};
use crate::model::files::zip::{self, Member, Packing};

const PICKLE: &str = "data.pkl";

/// Whether an archive with these members is PyTorch's.
pub(in crate::model) fn is_checkpoint(members: &[Member]) -> bool {
    members.iter().any(|member| in_archive(&member.name).is_some_and(|(_, name)| name == PICKLE))
}

/// `NAME/rest` in its two parts.
fn in_archive(name: &str) -> Option<(&str, &str)> {
    name.split_once('/')
}

pub(super) fn read(bytes: &[u8]) -> Result<Saved<'_>, Fault> {
    let members = zip::read(bytes)?;
    let mut pickles = members.iter().filter_map(|member| {
        let (archive, name) = in_archive(&member.name)?;
        (name == PICKLE).then_some((archive, member))
    });
    let (archive, described) = pickles.next().ok_or("there is no data.pkl in it")?;
    if pickles.next().is_some() {
        return Err("it holds more than one data.pkl".into());
    }
    let named = |member: &'_ Member| -> Option<String> {
        in_archive(&member.name).filter(|(of, _)| *of == archive).map(|(_, name)| name.to_owned())
    };
    let mut places = HashMap::new();
    for member in &members {
        let Some(name) = named(member) else { continue };
        if name == "constants.pkl" || name.starts_with("code/") {
            return Err(Fault::Unsupported(
                "it is a TorchScript program, not a checkpoint".to_owned(),
                "load it in Python and save its state_dict with torch.save",
            ));
        }
        let key = name.strip_prefix("data/");
        if name != PICKLE && name != "byteorder" && key.is_none() {
            continue;
        }
        if member.packing != Packing::Stored {
            return Err(Fault::Unsupported(
                format!("{} in it is compressed, which PyTorch itself does not do", member.name),
                "unpack the archive and pack it again without compression (zip -0)",
            ));
        }
        if let Some(key) = key {
            places.insert(key.to_owned(), member.range.clone());
        } else if name == "byteorder" {
            check_order(zip::small(bytes, member)?)?;
        }
    }
    if described.size > pickle::LONGEST {
        return Err(
            format!("its pickle has {} bytes, more than the limit of {}", described.size, pickle::LONGEST).into()
        );
    }
    let pickle = pickle::read(zip::small(bytes, described)?)?;
    Ok(Saved { places: sized(&pickle, places)?, pickle })
}

fn check_order(order: &[u8]) -> Result<(), Fault> {
    match order {
        b"little" => Ok(()),
        b"big" => Err(Fault::Unsupported(
            "its numbers are big-endian, written on a machine of another kind".to_owned(),
            "load and save it with PyTorch on a little-endian machine",
        )),
        _ => Err("its byteorder is neither little nor big".into()),
    }
}

/// The places of the storages that the pickle names, which must be as long as it says.
fn sized<'a>(
    pickle: &pickle::Pickle<'a>,
    places: HashMap<String, Range<usize>>,
) -> Result<HashMap<&'a str, Range<usize>>, Fault> {
    let mut found = HashMap::new();
    for storage in pickle.storages() {
        let place = places.get(storage.key).ok_or_else(|| format!("storage {} is not in it", storage.key))?;
        let wanted = storage.count.checked_mul(storage.dtype.size());
        if wanted.is_none_or(|wanted| wanted > place.len()) {
            return Err(format!(
                "storage {} has {} bytes, too few for its {} numbers of {}",
                storage.key,
                place.len(),
                storage.count,
                storage.dtype
            )
            .into());
        }
        found.insert(storage.key, place.clone());
    }
    Ok(found)
}
