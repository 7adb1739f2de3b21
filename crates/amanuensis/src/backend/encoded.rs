//! What an encoder heard, where it lies.

use std::any::Any;
use std::borrow::Cow;

use super::BackendError;

/// What the encoder heard: on the host, or where the backend keeps it whose encoder it was.
pub struct Encoded {
    /// How many positions each window has.
    pub positions: Vec<usize>,
    place: Place,
}

/// What a backend keeps of what its encoder heard, for its own decoder. Whoever else wants the values asks for them.
pub trait Kept: Any + Send + Sync {
    /// Brings the values of all windows to the host, one behind the other, each `[positions][width]`.
    fn values(&self) -> Result<Vec<f32>, BackendError>;
}

enum Place {
    Host(Vec<f32>),
    Kept(Box<dyn Kept>),
}

impl Encoded {
    /// The values of windows of so many positions, one behind the other, each `[positions][width]`: on the host.
    pub fn new(positions: Vec<usize>, values: Vec<f32>) -> Self {
        Encoded { positions, place: Place::Host(values) }
    }

    /// Windows of so many positions, whose values a backend keeps.
    pub fn kept(positions: Vec<usize>, kept: impl Kept) -> Self {
        Encoded { positions, place: Place::Kept(Box::new(kept)) }
    }

    /// What a backend keeps, if it is of that kind.
    pub fn keeps<T: Kept>(&self) -> Option<&T> {
        match &self.place {
            Place::Kept(kept) => (&**kept as &dyn Any).downcast_ref(),
            Place::Host(_) => None,
        }
    }

    /// The values of all windows, one behind the other: as they are on the host, or brought there, which costs what it costs.
    pub fn values(&self) -> Result<Cow<'_, [f32]>, BackendError> {
        match &self.place {
            Place::Host(values) => Ok(Cow::Borrowed(values)),
            Place::Kept(kept) => Ok(Cow::Owned(kept.values()?)),
        }
    }

    /// The same with its values on the host, where every backend can read them.
    pub fn on_host(self) -> Result<Self, BackendError> {
        match self.place {
            Place::Host(_) => Ok(self),
            Place::Kept(kept) => Ok(Encoded::new(self.positions, kept.values()?)),
        }
    }

    /// The values on the host, for a model whose encoder is `width` wide: an error where a backend keeps them, or where they are
    /// another model's.
    pub fn of_host(&self, width: usize) -> Result<&[f32], BackendError> {
        let positions: usize = self.positions.iter().sum();
        match &self.place {
            Place::Host(values) if values.len() == positions * width => Ok(values),
            Place::Host(values) => {
                let found = values.len();
                let reason =
                    format!("{found} values are not {positions} positions of {width}, so another model encoded them");
                Err(BackendError::Foreign { reason })
            }
            Place::Kept(_) => Err(BackendError::Foreign {
                reason: "another backend encoded it, or another model, and keeps it".to_owned(),
            }),
        }
    }

    /// The same, window by window.
    pub fn windows(&self, width: usize) -> Result<impl Iterator<Item = &[f32]>, BackendError> {
        let mut rest = self.of_host(width)?;
        Ok(self.positions.iter().map(move |positions| {
            let (window, behind) = rest.split_at(positions * width);
            rest = behind;
            window
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tens(usize);

    impl Kept for Tens {
        fn values(&self) -> Result<Vec<f32>, BackendError> {
            Ok(vec![10.0; self.0])
        }
    }

    struct Gone;

    impl Kept for Gone {
        fn values(&self) -> Result<Vec<f32>, BackendError> {
            Err(BackendError::Device { device: "a test", reason: "it is gone".to_owned() })
        }
    }

    #[test]
    fn values_on_the_host_are_those_of_each_window() {
        let encoded = Encoded::new(vec![2, 1], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let windows: Vec<&[f32]> = encoded.windows(2).expect("they are here").collect();
        assert_eq!(windows, [&[1.0, 2.0, 3.0, 4.0][..], &[5.0, 6.0]]);
        assert!(encoded.keeps::<Tens>().is_none() && matches!(encoded.values(), Ok(Cow::Borrowed(_))));
        let Err(BackendError::Foreign { reason }) = encoded.of_host(3) else { panic!("of another width") };
        assert!(reason.contains("6 values are not 3 positions of 3"), "{reason}");
        assert_eq!(encoded.on_host().expect("here already").values().expect("here").len(), 6);
    }

    #[test]
    fn what_is_kept_comes_to_the_host_when_somebody_asks() {
        let encoded = Encoded::kept(vec![2], Tens(4));
        assert!(encoded.keeps::<Tens>().is_some_and(|kept| kept.0 == 4) && encoded.keeps::<Gone>().is_none());
        let Err(error) = encoded.of_host(2) else { panic!("it is not here") };
        assert!(error.to_string().contains("encode the windows with the model that is to decode them"), "{error}");
        assert_eq!(*encoded.values().expect("they come"), [10.0; 4]);
        assert_eq!(encoded.on_host().expect("they come").of_host(2).expect("here"), [10.0; 4]);
        let gone = Encoded::kept(vec![2], Gone);
        assert!(matches!(gone.values(), Err(BackendError::Device { .. })));
        assert!(matches!(gone.on_host(), Err(BackendError::Device { .. })));
    }
}
