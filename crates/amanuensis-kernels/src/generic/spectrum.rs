//! The Fourier transform of some frames side by side, a number of every frame in a register, and their power in bands.
//!
//! The samples of a frame, an even and an odd one each, are taken for complex ones, which are transformed in steps of 5, 4 and
//! 2 (Stockham: from one buffer to the other, in order); then the transforms of the even and of the odd ones are taken apart.

use super::{Vector, WIDEST};

/// Some frames, at most as many as a register has numbers.
///
/// Safe to run when: `frames` may be read for `lanes` of frames, each of `size` samples; `window` for `size` numbers; `roots`
/// for as many roots of one, real and imaginary parts; `work` may be written for [`work`] numbers; every band lies within
/// the `size / 2 + 1` frequencies; `out` may be written for `lanes` rows of as many numbers as there are bands.
#[derive(Clone, Copy)]
pub(crate) struct Frames<'a> {
    pub(crate) frames: &'a [&'a [f32]],
    pub(crate) size: usize,
    pub(crate) window: *const f32,
    pub(crate) roots: *const f32,
    pub(crate) bands: &'a [Band],
    pub(crate) work: *mut f32,
    pub(crate) out: *mut f32,
}

/// The weights of a run of neighbouring frequencies.
#[derive(Clone, Debug)]
pub struct Band {
    /// The first frequency with a weight.
    pub first: usize,
    /// The weights of that frequency and the ones behind it.
    pub weights: Vec<f32>,
}

/// Numbers of working memory for frames of `size` samples: two buffers, and the power of every frequency.
pub(crate) const fn work(size: usize) -> usize {
    (2 * size + size / 2 + 1) * WIDEST
}

/// A complex number of every frame.
#[derive(Clone, Copy)]
struct Complex<V> {
    re: V,
    im: V,
}

/// The power of every frame in every band.
#[inline(always)]
pub(crate) unsafe fn power<V: Vector>(job: &Frames<'_>) {
    let (size, width) = (job.size, V::WIDTH);
    let points = size / 2;
    // SAFETY: the caller keeps the contract of Frames and has the features of V; the parts of the working memory follow each
    // other as `work` counts them.
    unsafe {
        let (mut from, mut to) = (job.work, job.work.add(size * width));
        let power = to.add(size * width);
        for index in 0..size {
            let weight = *job.window.add(index);
            for lane in 0..width {
                let sample = job.frames.get(lane).map_or(0.0, |frame| *frame.get_unchecked(index));
                *from.add(index * width + lane) = sample * weight;
            }
        }
        let mut left = points;
        while left > 1 {
            let radix = [5, 4, 2].into_iter().find(|radix| left.is_multiple_of(*radix));
            let step = Step { from, to, roots: job.roots, points, size: left };
            match radix {
                Some(5) => step.run::<V, 5>(),
                Some(4) => step.run::<V, 4>(),
                Some(_) => step.run::<V, 2>(),
                None => unreachable!("frames of {size} samples"),
            }
            left /= radix.unwrap_or(1);
            std::mem::swap(&mut from, &mut to);
        }
        let quarter = V::splat(0.25);
        for index in 0..=points {
            let here = Complex::<V>::load(from.add(index % points * 2 * width));
            let there = Complex::<V>::load(from.add((points - index) % points * 2 * width)).conjugate();
            let even = here.plus(there);
            let odd = here.minus(there).turned().times(job.roots.add(2 * index));
            let sum = even.plus(odd);
            sum.re.times(sum.re).plus(sum.im.times(sum.im)).times(quarter).store(power.add(index * width));
        }
        let mut lanes = [0.0; WIDEST];
        for (number, band) in job.bands.iter().enumerate() {
            let mut sum = V::splat(0.0);
            for (index, weight) in band.weights.iter().enumerate() {
                sum = V::load(power.add((band.first + index) * width)).times(V::splat(*weight)).plus(sum);
            }
            sum.store(lanes.as_mut_ptr());
            for lane in 0..job.frames.len() {
                *job.out.add(lane * job.bands.len() + number) = lanes[lane];
            }
        }
    }
}

/// Transforms of `size` points become transforms of a fraction of it, and these are joined.
struct Step {
    from: *const f32,
    to: *mut f32,
    roots: *const f32,
    points: usize,
    size: usize,
}

impl Step {
    #[inline(always)]
    unsafe fn run<V: Vector, const RADIX: usize>(&self) {
        let (part, stride) = (self.size / RADIX, self.points / self.size);
        let place = |index: usize| index * 2 * V::WIDTH;
        // SAFETY: every index is below `points`, and that of a root below twice as many; the caller's promise.
        unsafe {
            for first in 0..part {
                for at in 0..stride {
                    let mut points = [Complex::<V>::zero(); RADIX];
                    for (index, point) in points.iter_mut().enumerate() {
                        *point = Complex::load(self.from.add(place(at + stride * (first + index * part))));
                    }
                    join(&mut points);
                    for (index, point) in points.into_iter().enumerate() {
                        let root = 2 * stride * first * index % (2 * self.points);
                        let point = point.times(self.roots.add(2 * root));
                        point.store(self.to.add(place(at + stride * (RADIX * first + index))));
                    }
                }
            }
        }
    }
}

/// The transform of two, four or five points.
#[inline(always)]
unsafe fn join<V: Vector>(points: &mut [Complex<V>]) {
    // SAFETY: the caller has the features of V.
    unsafe {
        match *points {
            [first, second] => points.copy_from_slice(&[first.plus(second), first.minus(second)]),
            [first, second, third, fourth] => {
                let (even, other_even) = (first.plus(third), first.minus(third));
                let (odd, other_odd) = (second.plus(fourth), second.minus(fourth).turned());
                points.copy_from_slice(&[
                    even.plus(odd),
                    other_even.plus(other_odd),
                    even.minus(odd),
                    other_even.minus(other_odd),
                ]);
            }
            [centre, first, second, third, fourth] => {
                let (outer, outer_odd) = (first.plus(fourth), first.minus(fourth));
                let (inner, inner_odd) = (second.plus(third), second.minus(third));
                let near = centre.plus(outer.scaled(COSINES[0])).plus(inner.scaled(COSINES[1]));
                let far = centre.plus(outer.scaled(COSINES[1])).plus(inner.scaled(COSINES[0]));
                let near_odd = outer_odd.scaled(SINES[0]).plus(inner_odd.scaled(SINES[1])).turned();
                let far_odd = outer_odd.scaled(SINES[1]).minus(inner_odd.scaled(SINES[0])).turned();
                points.copy_from_slice(&[
                    centre.plus(outer).plus(inner),
                    near.plus(near_odd),
                    far.plus(far_odd),
                    far.minus(far_odd),
                    near.minus(near_odd),
                ]);
            }
            _ => unreachable!("a step of {}", points.len()),
        }
    }
}

/// Of a fifth of a turn, and of two.
const COSINES: [f32; 2] = [0.309_017, -0.809_017];
const SINES: [f32; 2] = [0.951_056_5, 0.587_785_25];

impl<V: Vector> Complex<V> {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has the features of V, here and below.
        unsafe { Complex { re: V::splat(0.0), im: V::splat(0.0) } }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller has two registers there.
        unsafe { Complex { re: V::load(from), im: V::load(from.add(V::WIDTH)) } }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller has room for two registers there.
        unsafe {
            self.re.store(to);
            self.im.store(to.add(V::WIDTH));
        }
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Complex { re: self.re.plus(other.re), im: self.im.plus(other.im) } }
    }
    #[inline(always)]
    unsafe fn minus(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Complex { re: self.re.minus(other.re), im: self.im.minus(other.im) } }
    }
    #[inline(always)]
    unsafe fn scaled(self, by: f32) -> Self {
        // SAFETY: as above.
        unsafe { Complex { re: self.re.times(V::splat(by)), im: self.im.times(V::splat(by)) } }
    }
    /// Times a root of one: its real and its imaginary part.
    #[inline(always)]
    unsafe fn times(self, root: *const f32) -> Self {
        // SAFETY: the caller has two numbers there.
        unsafe {
            let (re, im) = (V::splat(*root), V::splat(*root.add(1)));
            Complex { re: self.im.minus_times(im, self.re.times(re)), im: self.im.times_plus(re, self.re.times(im)) }
        }
    }
    /// A quarter of a turn back.
    #[inline(always)]
    unsafe fn turned(self) -> Self {
        // SAFETY: as above.
        unsafe { Complex { re: self.im, im: V::splat(0.0).minus(self.re) } }
    }
    #[inline(always)]
    unsafe fn conjugate(self) -> Self {
        // SAFETY: as above.
        unsafe { Complex { re: self.re, im: V::splat(0.0).minus(self.im) } }
    }
}
