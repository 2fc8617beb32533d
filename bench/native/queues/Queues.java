import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.MessageProperties;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import javax.jms.BytesMessage;
import javax.jms.DeliveryMode;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;

/**
 * One producer or one consumer of a durable queue, by the queue's own Java client. Persistent messages, one a send, and
 * nobody waits for an answer to one; the time ends when the broker says that it has them all. Messages are acknowledged
 * by the client on its own.
 *
 * <p>usage: Queues rabbitmq|activemq produce|consume PORT QUEUE WARM COUNT BYTES
 *
 * <p>prints: messages seconds (without those that warm up)
 */
public final class Queues {
  private static final long PATIENCE_SECONDS = 280;
  private static final String PREFETCH = "1000";

  private final int port;
  private final String queue;
  private final long warm;
  private final long count;
  private final byte[] body;

  private Queues(String[] args) {
    port = Integer.parseInt(args[2]);
    queue = args[3];
    warm = Long.parseLong(args[4]);
    count = Long.parseLong(args[5]);
    body = new byte[Integer.parseInt(args[6])];
  }

  public static void main(String[] args) throws Exception {
    Queues run = new Queues(args);
    double seconds =
        switch (args[0] + " " + args[1]) {
          case "rabbitmq produce" -> run.produceToRabbit();
          case "rabbitmq consume" -> run.consumeFromRabbit();
          case "activemq produce" -> run.produceToActive();
          case "activemq consume" -> run.consumeFromActive();
          default -> throw new IllegalArgumentException(args[0] + " " + args[1]);
        };
    System.out.printf("%d %.6f%n", run.count, seconds);
    System.exit(0);
  }

  private interface Step {
    void run() throws Exception;
  }

  private static double seconds(Step step) throws Exception {
    long from = System.nanoTime();
    step.run();
    return (System.nanoTime() - from) / 1e9;
  }

  /** When the warm-up ended and when everything had come. */
  private final class Arrivals {
    private final AtomicLong seen = new AtomicLong();
    private final CountDownLatch complete = new CountDownLatch(1);
    private volatile long from = System.nanoTime();
    private volatile long to;

    void one() {
      long index = seen.incrementAndGet();
      if (index == warm) from = System.nanoTime();
      if (index == warm + count) {
        to = System.nanoTime();
        complete.countDown();
      }
    }

    double seconds() throws InterruptedException {
      if (!complete.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        throw new IllegalStateException("only " + seen.get() + " of " + (warm + count) + " messages came");
      }
      return (to - from) / 1e9;
    }
  }

  private Channel rabbit() throws Exception {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setHost("127.0.0.1");
    factory.setPort(port);
    Connection connection = factory.newConnection();
    Channel channel = connection.createChannel();
    channel.queueDeclare(queue, true, false, false, Map.of("x-queue-version", 2));
    return channel;
  }

  private double produceToRabbit() throws Exception {
    Channel channel = rabbit();
    AMQP.BasicProperties persistent = MessageProperties.MINIMAL_PERSISTENT_BASIC;
    long[] expected = {0};
    Step[] steps = new Step[2];
    for (int step = 0; step < 2; step++) {
      long messages = step == 0 ? warm : count;
      steps[step] =
          () -> {
            for (long sent = 0; sent < messages; sent++) channel.basicPublish("", queue, persistent, body);
            expected[0] += messages;
            while (channel.messageCount(queue) < expected[0]) Thread.sleep(1);
          };
    }
    steps[0].run();
    return seconds(steps[1]);
  }

  private double consumeFromRabbit() throws Exception {
    Arrivals arrivals = new Arrivals();
    rabbit().basicConsume(queue, true, (tag, delivery) -> arrivals.one(), tag -> {});
    return arrivals.seconds();
  }

  private ActiveMQConnection active() throws Exception {
    String options = "jms.useAsyncSend=true&jms.prefetchPolicy.queuePrefetch=" + PREFETCH;
    String address = "tcp://127.0.0.1:" + port + "?" + options;
    ActiveMQConnection connection = (ActiveMQConnection) new ActiveMQConnectionFactory(address).createConnection();
    connection.start();
    return connection;
  }

  private double produceToActive() throws Exception {
    ActiveMQConnection connection = active();
    Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    Queue destination = session.createQueue(queue);
    MessageProducer producer = session.createProducer(destination);
    producer.setDeliveryMode(DeliveryMode.PERSISTENT);
    Step[] steps = new Step[2];
    for (int step = 0; step < 2; step++) {
      long messages = step == 0 ? warm : count;
      steps[step] =
          () -> {
            for (long sent = 0; sent < messages; sent++) {
              BytesMessage message = session.createBytesMessage();
              message.writeBytes(body);
              producer.send(message);
            }
            // Answered in turn, hence after everything that was sent before on this connection.
            session.createTemporaryQueue().delete();
          };
    }
    steps[0].run();
    return seconds(steps[1]);
  }

  private double consumeFromActive() throws Exception {
    Arrivals arrivals = new Arrivals();
    Session session = active().createSession(false, Session.AUTO_ACKNOWLEDGE);
    MessageConsumer consumer = session.createConsumer(session.createQueue(queue));
    consumer.setMessageListener(message -> arrivals.one());
    return arrivals.seconds();
  }
}
