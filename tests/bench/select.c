/* Runs one SELECT in single-row mode and drops its rows: what a client costs that keeps nothing.
 * usage: select CONNINFO SQL */
#include <libpq-fe.h>
#include <stdio.h>

static int fail(PGconn *link)
{
    fprintf(stderr, "select: %s", PQerrorMessage(link));
    PQfinish(link);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 64;
    PGconn *link = PQconnectdb(argv[1]);
    if (PQstatus(link) != CONNECTION_OK || !PQsendQuery(link, argv[2]) || !PQsetSingleRowMode(link))
        return fail(link);
    unsigned long rows = 0;
    for (PGresult *result; (result = PQgetResult(link)) != NULL; PQclear(result)) {
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK)
            return fail(link);
        rows += (unsigned long)PQntuples(result);
    }
    PQfinish(link);
    return rows > 0 ? 0 : 1;
}
