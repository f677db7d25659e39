#pragma once

namespace kandinsky::samplers {

/// The quantile at `probability`, 0 to 1, of a beta distribution whose two parameters are both
/// `shape`, more than 0. Relative error about 1e-14.
double symmetric_beta_quantile(double probability, double shape);

}  // namespace kandinsky::samplers
