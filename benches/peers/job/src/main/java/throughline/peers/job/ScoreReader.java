package throughline.peers.job;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Reads the scores of a customer at the largest time that was applied. */
public final class ScoreReader {
    private ScoreReader() {}

    /** Everything a score record says. */
    public static Score read(Customer customer) {
        long at = customer.asOf;
        double k = Model.PRIOR_WEIGHT;
        double b = customer.relationship.weight(at);
        double relationship = points(customer.relationship, at);
        double prior = Rounding.six(50.0 * k * Model.PRIOR_MEAN / (b + k));
        List<Entry> reasons = reasons(customer);
        double[] contributions = contributions(customer, reasons, b);
        double named = 0.0;
        for (double contribution : contributions) {
            named += contribution;
        }
        List<Channel> channels = new ArrayList<>(customer.channels.size());
        long[] lastAt = latestUses(customer, channels);
        double coverage = coverage(lastAt, at);
        double spread = 1.0 / Math.sqrt(1.0 + b) / Math.sqrt(Math.max(coverage, Model.COVERAGE_FLOOR));
        double[] consistency = consistency(customer, at);
        double[] baseline = baseline(customer);
        return new Score(
                at,
                points(customer.moment, at),
                relationship,
                points(customer.lifetime, at),
                customer.count,
                Rounding.six(Math.min(spread, 1.0)),
                Rounding.six(coverage),
                channels,
                lastAt,
                baseline[0],
                baseline[1],
                baseline[2],
                consistency[0],
                consistency[1],
                mix(customer),
                reasons,
                contributions,
                Rounding.six(relationship - 50.0 - prior - named),
                prior,
                Rounding.six(b / (b + k)));
    }

    /** An experience score, 0 to 100. */
    private static double points(Decayed sums, long at) {
        double k = Model.PRIOR_WEIGHT;
        double points = 50.0 + 50.0 * (sums.valence(at) + k * Model.PRIOR_MEAN) / (sums.weight(at) + k);
        return Rounding.six(Math.max(0.0, Math.min(100.0, points)));
    }

    private static List<Entry> reasons(Customer customer) {
        List<Entry> strongest = new ArrayList<>(Model.REASONS_MAX + 1);
        strongest.addAll(customer.folded);
        for (Entry entry : customer.recent) {
            Reasons.insert(strongest, entry, customer.relationship);
        }
        return strongest;
    }

    private static double[] contributions(Customer customer, List<Entry> reasons, double b) {
        Decayed sums = customer.relationship;
        double points = 50.0 * sums.discount(customer.asOf) / (b + Model.PRIOR_WEIGHT);
        double[] contributions = new double[reasons.size()];
        for (int at = 0; at < contributions.length; at++) {
            Entry reason = reasons.get(at);
            contributions[at] = Rounding.six(points * (reason.weighted() * sums.factor(reason.occurredAt())));
        }
        return contributions;
    }

    /** Adds the channels ever used to {@code channels} and returns their latest uses. */
    private static long[] latestUses(Customer customer, List<Channel> channels) {
        Channel[] all = Channel.values();
        long[] latest = new long[all.length];
        Arrays.fill(latest, Long.MIN_VALUE);
        for (ChannelSum row : customer.channels) {
            latest[row.channel.ordinal()] = row.foldedLastAt;
        }
        for (Entry entry : customer.recent) {
            int channel = entry.channel().ordinal();
            latest[channel] = Math.max(latest[channel], entry.occurredAt());
        }
        long[] used = new long[all.length];
        for (Channel channel : all) {
            if (latest[channel.ordinal()] != Long.MIN_VALUE) {
                used[channels.size()] = latest[channel.ordinal()];
                channels.add(channel);
            }
        }
        return Arrays.copyOf(used, channels.size());
    }

    private static double coverage(long[] lastAt, long at) {
        int seen = 0;
        for (long last : lastAt) {
            seen += last > at - Model.COVERAGE_WINDOW ? 1 : 0;
        }
        return lastAt.length == 0 ? 1.0 : (double) seen / lastAt.length;
    }

    /** Channel consistency and gap; not numbers under two channels with enough weight. */
    private static double[] consistency(Customer customer, long at) {
        int count = 0;
        double total = 0.0;
        double weighted = 0.0;
        double largest = Double.NEGATIVE_INFINITY;
        double smallest = Double.POSITIVE_INFINITY;
        for (ChannelSum row : customer.channels) {
            double weight = row.sums.weight(at);
            if (weight >= Model.CHANNEL_WEIGHT_MIN) {
                double mean = row.sums.mean();
                count++;
                total += weight;
                weighted += mean * weight;
                largest = Math.max(largest, mean);
                smallest = Math.min(smallest, mean);
            }
        }
        if (count < 2) {
            return new double[] {Double.NaN, Double.NaN};
        }
        double center = weighted / total;
        double variance = 0.0;
        for (ChannelSum row : customer.channels) {
            double weight = row.sums.weight(at);
            if (weight >= Model.CHANNEL_WEIGHT_MIN) {
                double off = row.sums.mean() - center;
                variance += weight * off * off;
            }
        }
        double consistency = 100.0 * (1.0 - Math.sqrt(variance / total));
        return new double[] {
            Rounding.six(Math.max(0.0, Math.min(100.0, consistency))), Rounding.six(largest - smallest)
        };
    }

    /** Mean, spread and deviation of the personal baseline; not numbers below the touchpoints that it needs. */
    private static double[] baseline(Customer customer) {
        double mean = customer.lifetime.mean();
        if (customer.count < Model.BASELINE_TOUCHPOINTS_MIN || Double.isNaN(mean)) {
            return new double[] {Double.NaN, Double.NaN, Double.NaN};
        }
        double variance = Math.max(0.0, customer.lifetimeSquares / customer.lifetime.b() - mean * mean);
        double spread = Math.sqrt(variance);
        return new double[] {Rounding.six(mean), Rounding.six(spread), deviation(customer, mean, spread)};
    }

    private static double deviation(Customer customer, double mean, double spread) {
        long latest = customer.foldedValencedAt;
        for (Entry entry : customer.recent) {
            if (entry.isValenced()) {
                latest = Math.max(latest, entry.occurredAt());
            }
        }
        if (customer.moment.weight(latest) < Model.BASELINE_MOMENT_WEIGHT_MIN) {
            return Double.NaN;
        }
        return Rounding.six((customer.moment.mean() - mean) / Math.max(spread, Model.BASELINE_SPREAD_MIN));
    }

    private static double[] mix(Customer customer) {
        double total = 0.0;
        for (double share : customer.mix) {
            total += share;
        }
        double[] mix = new double[customer.mix.length];
        if (total > 0.0) {
            for (int kind = 0; kind < mix.length; kind++) {
                mix[kind] = Rounding.six(customer.mix[kind] / total);
            }
        }
        return mix;
    }
}
