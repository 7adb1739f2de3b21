//! Slaney's mel bands: triangles of equal area over the frequencies of the transform.

use amanuensis_kernels::Band;

/// The `bins` bands from 0 Hz to half the sample rate, over `frequencies` equally spaced frequencies.
pub(super) fn bands(bins: usize, frequencies: usize, sample_rate: u32) -> Vec<Band> {
    let highest = f64::from(sample_rate) / 2.0;
    let frequency = |index: usize| highest * index as f64 / (frequencies - 1) as f64;
    // The corners of the triangles lie equally spaced on the mel scale.
    let corner = |index: usize| hertz(mel(highest) * index as f64 / (bins + 1) as f64);

    (0..bins)
        .map(|bin| {
            let (left, centre, right) = (corner(bin), corner(bin + 1), corner(bin + 2));
            // Rounded to f32 before and after the area is divided out, as the reference table was.
            let area = 2.0 / (right - left);
            let weight = |index: usize| {
                let rising = (frequency(index) - left) / (centre - left);
                let falling = (right - frequency(index)) / (right - centre);
                (f64::from(rising.min(falling).max(0.0) as f32) * area) as f32
            };
            let sounding = |index: &usize| weight(*index) > 0.0;
            let first = (0..frequencies).find(sounding).unwrap_or(0);
            let last = (0..frequencies).rev().find(sounding).map_or(first, |last| last + 1);
            Band { first, weights: (first..last).map(weight).collect() }
        })
        .collect()
}

/// Hertz per mel below 1 kHz, where the scale is linear.
const LINEAR_STEP: f64 = 200.0 / 3.0;
/// Where the scale turns logarithmic, in hertz.
const CORNER: f64 = 1000.0;

/// Growth of the frequency with each mel above 1 kHz: 27 mels take it to 6.4 kHz.
fn logarithmic_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn mel(hertz: f64) -> f64 {
    if hertz < CORNER { hertz / LINEAR_STEP } else { CORNER / LINEAR_STEP + (hertz / CORNER).ln() / logarithmic_step() }
}

fn hertz(mel: f64) -> f64 {
    let corner = CORNER / LINEAR_STEP;
    if mel < corner { mel * LINEAR_STEP } else { CORNER * ((mel - corner) * logarithmic_step()).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_its_own_inverse() {
        for hz in [0.0, 440.0, 999.0, 1000.0, 1001.0, 4000.0, 8000.0] {
            assert!((hertz(mel(hz)) - hz).abs() < 1e-9, "{hz}");
        }
    }

    #[test]
    fn every_band_has_area_and_neighbours_overlap() {
        for bins in [80, 128] {
            let bands = bands(bins, 201, 16_000);
            assert_eq!(bands.len(), bins);
            assert!(bands.iter().all(|band| !band.weights.is_empty()));
            assert!(bands.windows(2).all(|pair| pair[0].first <= pair[1].first));
        }
    }
}
