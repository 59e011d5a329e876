package throughline.peers.job;

/** Rounding half away from zero. */
final class Rounding {
    private Rounding() {}

    /** To a whole number. */
    static double half(double value) {
        return Math.copySign(Math.floor(Math.abs(value) + 0.5), value);
    }

    /** To six decimals. */
    static double six(double value) {
        return half(value * 1e6) / 1e6;
    }
}
