package throughline.peers.job;

import java.nio.ByteBuffer;

/** Decayed sums of weights and weighted valences, forward decay with a power-of-two landmark. */
final class Decayed {
    static final int BYTES = 20;

    private final long halfLife;
    /** Largest whole number of half-lives since 1970 of a contribution so far. */
    private int landmark;
    /** Sum of weight times valence. */
    private double a;
    /** Sum of weights. */
    private double b;

    /** @param halfLife in milliseconds */
    Decayed(long halfLife) {
        this.halfLife = halfLife;
    }

    /**
     * Adds a contribution and returns what other sums with this landmark must be multiplied by: 1 unless it moved.
     */
    double add(long at, double v, double w) {
        double scale = raise(Math.floorDiv(at, halfLife));
        double g = factor(at);
        a += w * v * g;
        b += w * g;
        return scale;
    }

    private double raise(long whole) {
        if (whole <= landmark) {
            return 1.0;
        }
        double scale = Math.scalb(1.0, (int) Math.max(landmark - whole, -2_000));
        a *= scale;
        b *= scale;
        landmark = (int) whole;
        return scale;
    }

    /** The factor of a contribution at {@code at}, seen from the landmark. */
    double factor(long at) {
        long whole = Math.floorDiv(at, halfLife);
        double fraction = (double) (at - whole * halfLife) / halfLife;
        return Math.pow(2.0, fraction) * Math.scalb(1.0, (int) Math.max(whole - landmark, -2_000));
    }

    /** What the sums are multiplied by when they are read at {@code at}. */
    double discount(long at) {
        long whole = Math.floorDiv(at, halfLife);
        double fraction = (double) (at - whole * halfLife) / halfLife;
        return Math.pow(2.0, -fraction) * Math.scalb(1.0, (int) Math.max(landmark - whole, -2_000));
    }

    /** Discounted sum of weights. */
    double weight(long at) {
        return b <= 0.0 ? 0.0 : b * discount(at);
    }

    /** Discounted sum of weighted valences. */
    double valence(long at) {
        return b <= 0.0 ? 0.0 : a * discount(at);
    }

    /** Sum of weights at the landmark. */
    double b() {
        return b;
    }

    /** Mean valence; not a number without weight. */
    double mean() {
        return b > 0.0 ? a / b : Double.NaN;
    }

    void write(ByteBuffer out) {
        out.putInt(landmark).putDouble(a).putDouble(b);
    }

    void read(ByteBuffer in) {
        landmark = in.getInt();
        a = in.getDouble();
        b = in.getDouble();
    }
}
