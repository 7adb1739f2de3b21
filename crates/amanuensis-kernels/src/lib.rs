//! Vector kernels, packed matrices and the thread team.
