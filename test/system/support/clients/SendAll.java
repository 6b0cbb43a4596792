import jakarta.mail.Message;
import jakarta.mail.Session;
import jakarta.mail.Transport;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeMessage;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;

/** Sends every case of a table: SendAll TABLE USERNAME PASSWORD. It verifies names, for which an address will not do. */
public class SendAll {
    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            String[] fields = line.split("\t");
            try {
                send(fields, args[1], args[2]);
                out.println(fields[0] + "\tok\t");
            } catch (Exception fault) {
                out.println(fields[0] + "\tfault\t" + textOf(fault).replaceAll("\\s+", " "));
            }
        }
    }

    private static void send(String[] fields, String username, String password) throws Exception {
        boolean login = fields[3].equals("login");
        boolean international = fields[4].equals("smtputf8");
        Session session = Session.getInstance(properties(fields[1], login, international));
        try (InputStream content = new FileInputStream(fields[7]); Transport transport = session.getTransport("smtp")) {
            MimeMessage message = new MimeMessage(session, content);
            InternetAddress[] to = InternetAddress.parse(fields[6], false);
            transport.connect("localhost", Integer.parseInt(fields[2]), login ? username : null, login ? password : null);
            transport.sendMessage(new Enveloped(message, fields[5]), to);
        }
    }

    private static Properties properties(String way, boolean login, boolean international) {
        Properties p = new Properties();
        p.put("mail.smtp.localhost", "client.test");
        p.put("mail.smtp.auth", String.valueOf(login));
        p.put("mail.smtp.starttls.enable", String.valueOf(way.equals("starttls")));
        p.put("mail.smtp.starttls.required", String.valueOf(way.equals("starttls")));
        p.put("mail.smtp.ssl.enable", String.valueOf(way.equals("implicit")));
        p.put("mail.smtp.ssl.checkserveridentity", "true");
        p.put("mail.smtp.timeout", "30000");
        p.put("mail.mime.allowutf8", String.valueOf(international));
        return p;
    }

    private static String textOf(Throwable fault) {
        StringBuilder text = new StringBuilder();
        for (Throwable at = fault; at != null; at = at instanceof jakarta.mail.MessagingException m ? m.getNextException() : null) text.append(at).append(' ');
        return text.toString();
    }

    /** A mail with its reverse-path, as SMTPMessage has it, but with the header of the original. */
    private static final class Enveloped extends com.sun.mail.smtp.SMTPMessage {
        Enveloped(MimeMessage original, String from) throws Exception {
            super(original);
            setEnvelopeFrom(from);
        }
    }
}
