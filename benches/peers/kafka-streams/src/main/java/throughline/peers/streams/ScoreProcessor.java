package throughline.peers.streams;

import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import throughline.peers.job.Customer;
import throughline.peers.job.CustomerId;
import throughline.peers.job.Score;
import throughline.peers.job.ScoreReader;
import throughline.peers.job.ScoreWriter;
import throughline.peers.job.Touchpoint;

/** The second hop: touchpoints in, customers in the store, score records out. */
final class ScoreProcessor implements Processor<byte[], Touchpoint, byte[], byte[]> {
    private final ScoreWriter writer;
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, Customer> customers;

    ScoreProcessor(Options options) {
        writer = new ScoreWriter(options.tenant());
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        customers = context.getStateStore(Main.CUSTOMERS);
    }

    @Override
    public void process(Record<byte[], Touchpoint> record) {
        Bytes key = Bytes.wrap(record.key());
        Customer held = customers.get(key);
        Customer customer = held == null ? new Customer() : held;
        if (!customer.apply(record.value())) {
            return;
        }
        // Nobody can add outputs to a commit, so that a score goes out with the touchpoint that moved it.
        Score score = ScoreReader.read(customer);
        if (customer.isDue(score)) {
            long version = customer.markPublished(score);
            byte[] value = writer.write(record.key(), score, version, context.currentSystemTimeMs());
            Headers headers = new RecordHeaders().add(ScoreWriter.CONTENT_TYPE, ScoreWriter.contentType());
            context.forward(new Record<>(CustomerId.hex(record.key()), value, record.timestamp(), headers));
        }
        customers.put(key, customer);
    }
}
