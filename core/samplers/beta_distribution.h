#pragma once

namespace kandinsky::samplers {

/// The number below which the share `probability`, 0 to 1, of a beta distribution lies whose two
/// parameters are both `shape`, more than 0. Right to about 1e-14 of itself.
double symmetric_beta_quantile(double probability, double shape);

}  // namespace kandinsky::samplers
